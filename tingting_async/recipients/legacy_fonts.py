"""Recognises text that was typed for a legacy Nepali font, such as Preeti.

Such fonts draw Nepali letters in the places of ASCII characters: `/fd` looks like राम on the page, but it is sent and
read aloud as `/fd`.
"""

import re

from tingting_async.recipients.problems import require_text

_EXAMINED = 2000
"""The maximum number of examined characters of a text: no SMS is longer, and the time grows with the square."""

_NOT_WORDS = re.compile(r"\S*(?:://|www\.|@|\.com\b|\.np\b|\.org\b)\S*|\{\w+\}")
_BALANCED = re.compile(r"\[[^\[\]\s]*\]|\{[^{}\s]*\}")
_BRACKETED = re.compile(r"(?<!\S)[(]?[\[{]([^\[\]{}]*)[\]}](?=[\s.,;:!?)]|$)")

# Why a word is not English. In these fonts, the vowel signs ा ि ी े are f, l, L and ]: they follow or precede
# consonants that never meet them in English.
_STRONG = (
    re.compile(r"[A-Za-z0-9;:'/\\][\]\[{}]"),  # A bracket that is a vowel sign: g]kfn.
    re.compile(r"[bcdghjkmnpqstvwxz]f(?![A-Za-z])"),  # A consonant and ा at the end: ;Ltf.
)
_WEAK = (
    re.compile(r"f[bcdghjkmnpqvwxz]"),  # ा and a consonant: /fd.
    re.compile(r"^\W*l[bcdgjkmnpqrstvwxz]"),  # ि and a consonant at the start: lzj.
    re.compile(r"l[/;'\\]"),
    re.compile(r"^[/;\\][A-Za-z]"),
    re.compile(r"[A-Za-z][/;\\|][A-Za-z]?"),
    re.compile(r"[a-z]{2}'(?!s\b|t\b|d\b|m\b|l|re\b|ve\b)[a-z]"),
    re.compile(r"[a-z][LMFQVWXZKJDTYUIOPGHEB][a-z]"),  # A capital within a word.
    re.compile(r"[A-Za-z]\d[A-Za-z]|[A-Za-z]\+(?!\w)"),
)
_KNOWN = re.compile(
    "pdf|rtf|wtf|utf|lbs?|ltd|kg|km|hrs?|ml|ltr|mm|cm|sq|ft|mb|gb|nd|rd|th|pvt|dr|mrs?|ms|st|rs|vs|sms", re.IGNORECASE
)


def is_legacy_font(text: str) -> bool:
    """Return whether a text seems to be typed for a legacy Nepali font, so that nobody could read it.

    At least half of the words in its first 2,000 characters must look so. English, and Nepali in Latin letters, do not.

    Raises:
        UsageError: The text is not a string.
    """
    require_text(text)
    text = _BRACKETED.sub(r" \1 ", _NOT_WORDS.sub(" ", text[:_EXAMINED]))
    points = [_points(word) for word in text.split() if len(re.findall("[A-Za-z]", word)) >= 2]
    suspicious = [each for each in points if each >= 2]
    return bool(suspicious) and 2 * len(suspicious) >= len(points) and (max(points) >= 3 or len(suspicious) >= 2)


def _points(word: str) -> int:
    """Return how much a word looks as if it were typed for such a font; 2 or more is suspicious."""
    word = _BALANCED.sub("", word)
    letters = re.sub("[^A-Za-z]", "", word)
    if letters.isupper() or _KNOWN.fullmatch(letters) or not word.isascii():
        return 0
    strong = sum(pattern.search(word) is not None for pattern in _STRONG)
    weak = sum(pattern.search(word) is not None for pattern in _WEAK)
    return 2 * strong + weak + (not re.search("[aeiouyAEIOUY]", word))
