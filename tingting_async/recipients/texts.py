"""Texts of messages: their parts as SMS, their placeholders, and what speech synthesis stumbles over."""

import re
import string
import unicodedata
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Self

from tingting_async.errors import UsageError
from tingting_async.recipients.problems import require_text
from tingting_async.tracebacks import short_traceback


class SmsEncoding(StrEnum):
    """How the network encodes an SMS.

    Attributes:
        GSM_7: The alphabet of GSM 03.38. An SMS has 160 characters, and each part of a longer one 153.
        UCS_2: Any character, such as Devanagari. An SMS has 70 characters, and each part of a longer one 67.
    """

    GSM_7 = "GSM-7"
    UCS_2 = "UCS-2"


class SmsParts(int):
    """How many SMS the network sends for a text, and charges. It is an integer: `sum(map(sms_parts, texts))` works.

    Attributes:
        encoding: How the network encodes the text.
        units: The length of the text in units of the encoding. Some characters take two: with GSM-7, brackets, braces,
            the backslash and `^~|€`; with UCS-2, those beyond the Basic Multilingual Plane, such as emoji.
    """

    encoding: SmsEncoding
    units: int
    _text: str

    def __new__(cls, text: str = "") -> Self:
        """Count the parts of a text."""
        is_gsm = _GSM_TEXT.fullmatch(text) is not None
        units = len(text) + len((_EXTENDED if is_gsm else _BEYOND_BMP).findall(text))
        single, part = _SIZES[SmsEncoding.GSM_7 if is_gsm else SmsEncoding.UCS_2]
        if units <= single:
            count = 1 if text else 0
        elif units == len(text):
            count = -(-units // part)
        else:  # A character of two units is never divided, so a part may have one unit less.
            count = sum(1 for _ in _divide(text, is_gsm))
        self = super().__new__(cls, count)
        self.encoding = SmsEncoding.GSM_7 if is_gsm else SmsEncoding.UCS_2
        self.units = units
        self._text = text
        return self

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override]
        return (self._text,)

    @property
    def count(self) -> int:
        """How many SMS the network sends. An empty text has none."""
        return int(self)

    @property
    def parts(self) -> tuple[str, ...]:
        """The text of each part."""
        return (self._text,) if self == 1 else tuple(_divide(self._text, self.encoding is SmsEncoding.GSM_7))

    def __repr__(self) -> str:
        return f"<SmsParts: {int(self)} of {self.units} units in {self.encoding}>"


_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The default alphabet of GSM 03.38, without the escape to its extension table."""
_EXTENSION = "\f^{}\\[~]|€"
"""The extension table: an escape and a character."""
_GSM_TEXT = re.compile(f"[{re.escape(_BASIC + _EXTENSION)}]*")
_EXTENDED = re.compile(f"[{re.escape(_EXTENSION)}]")
_BEYOND_BMP = re.compile("[\U00010000-\U0010ffff]")
_SIZES: Mapping[SmsEncoding, tuple[int, int]] = {SmsEncoding.GSM_7: (160, 153), SmsEncoding.UCS_2: (70, 67)}
"""The units of a text that is sent alone, and of each part of a longer one, which has a header."""


def _divide(text: str, is_gsm: bool) -> Iterator[str]:
    """Yield the parts of a text that is too long for one SMS."""
    size = _SIZES[SmsEncoding.GSM_7 if is_gsm else SmsEncoding.UCS_2][1]
    start = used = 0
    for place, character in enumerate(text):
        units = 2 if (character in _EXTENSION if is_gsm else character > "\uffff") else 1
        if used + units > size:
            yield text[start:place]
            start, used = place, 0
        used += units
    if text:
        yield text[start:]


@short_traceback
def sms_parts(text: str) -> SmsParts:
    """Return how many SMS the network sends for a text: `sms_parts("Hello").count` is 1.

    Count the filled text of each recipient, because values differ in length, and one Devanagari letter changes the
    encoding.

    Args:
        text: The text as the network sends it. No character is replaced by a similar one.

    Raises:
        UsageError: The text is not a string, or has half a character (a lone surrogate), which cannot be sent.
    """
    require_text(text)
    if re.search("[\ud800-\udfff]", text):
        raise UsageError("`text` contains half a character (a lone surrogate), which cannot be sent.")
    return SmsParts(text)


def placeholders(message: str) -> set[str]:
    """Return the names of a message's `{placeholders}`."""
    try:
        return {name for _, name, _, _ in string.Formatter().parse(message) if name}
    except ValueError:
        return set(re.findall(r"\{([^{}]+)\}", message))


def fill(message: str, values: Mapping[str, Any]) -> str:
    """Return a message with its placeholders replaced by the values of a recipient, in one pass.

    Values are inert: a brace in a value stays that character. A placeholder without a value stays as it is; see
    `missing_values`.
    """
    names = [name for name in placeholders(message) if values.get(name) is not None]
    if not names:
        return message
    pattern = "|".join(re.escape(name) for name in names)
    return re.sub(rf"\{{({pattern})\}}", lambda found: str(values[found[1]]), message)


def missing_values(message: str, values: Mapping[str, Any]) -> list[str]:
    """Return the placeholders of a message for which a recipient has no value, or a blank one."""
    return sorted(name for name in placeholders(message) if is_blank(values.get(name)))


def is_blank(value: object) -> bool:
    """Return whether a value shows nothing: None, NaN, and text of white space and invisible marks only."""
    if not isinstance(value, str):
        return value is None or value != value  # noqa: PLR0124 - not a number
    return all(each.isspace() or unicodedata.category(each) in ("Cf", "Cc") for each in value)


def speakable(message: str) -> str:
    """Return a message without what upsets speech synthesis: line breaks, repeated spaces, and invisible marks.

    All white space becomes single spaces. Control characters and marks without a sound are removed, such as the marks
    for the direction of a text. The joiners that are a part of Devanagari spelling stay. No word changes.
    """
    require_text(message, "message")
    kept = "".join(each for each in message if each.isspace() or each in _JOINERS or not _is_silent(each))
    return " ".join(kept.split())


_JOINERS = "\u200c\u200d"


def _is_silent(character: str) -> bool:
    return unicodedata.category(character) in ("Cf", "Cc") or "\ufe00" <= character <= "\ufe0f"
