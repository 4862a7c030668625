"""What the rows of a list prove about a request whose response was lost.

A row may show what was sent in another form: masked, rounded, trimmed, or not at all. Such a row proves neither that
the request was carried out nor that it was not.
"""

import enum
import re
import unicodedata
from collections.abc import AsyncIterable, Callable

from tingting_async.errors import DecodeError, PaginationError
from tingting_async.http.messages import T
from tingting_async.late_imports import loading
from tingting_async.outcomes import Reconciliation, Verdict, from_presence
from tingting_async.recipients.spellings import PREFIXES, ascii_digits, is_same_number


class Match(enum.Enum):
    """Whether a value that the service shows is a value that was sent."""

    SAME = enum.auto()
    """It is."""
    MAYBE = enum.auto()
    """It may be, in another form."""
    OTHER = enum.auto()
    """It is another value."""


async def reconcile_rows(
    rows: AsyncIterable[T], judge: Callable[[T], Reconciliation | None], what: str
) -> Reconciliation:
    """Return the verdict of a list that has a certain row if, and only if, a request was carried out.

    Args:
        rows: The list. It must be exact, because a plain list may lose the row.
        judge: Returns "done" for the row, "unknown" for a row that may be it, and None for another row.
        what: What the row is, as the start of a sentence.
    """
    doubt: Reconciliation | None = None
    try:
        async for row in rows:
            found = judge(row)
            if found is not None and found.verdict is Verdict.DONE:
                return found
            doubt = doubt or found
    except PaginationError:
        doubt = doubt or _unproven(what, "it is not proven that the list showed all rows")
    except DecodeError:
        doubt = doubt or _unproven(what, "some rows of the list cannot be decoded")
    return doubt or from_presence(None, what)


def _unproven(what: str, why: str) -> Reconciliation:
    return Reconciliation(Verdict.UNKNOWN, f"{what} was not found, but {why}.")


_SPELLING = r"(?s)(?!.*([\s.\-\u2010-\u2015])\1)[0-9\s+().\-\u2010-\u2015]*"
"""A number that hides no digit: the usual characters, and none that separates digits twice in a row."""


def match_number(shown: str | None, digits: str) -> Match:
    """Return whether a phone number that the service shows is the one with these digits."""
    text = re.sub(r"\.0*\Z", "", ascii_digits(shown or "").strip())  # A spreadsheet makes "9800000001.0".
    if is_same_number(text, digits):
        return Match.SAME
    if any(character.isalpha() and character not in "xX" for character in text):
        return Match.MAYBE  # Encoded in some way: its digits mean nothing.
    parts = re.split("[^0-9]+", text)
    visible = "".join(parts)
    # Numbers of Nepal have 8 or 10 digits after the country code: what has another length is a part of a number.
    national = visible.lstrip("0").removeprefix("977").lstrip("0")
    if re.fullmatch(_SPELLING, text) and len(national) in (8, 10):
        return Match.OTHER
    if visible == text:
        is_part = digits.startswith(text) or digits.endswith(text)
    else:
        is_part = digits in visible or any(_fits(parts, prefix + digits) for prefix in PREFIXES)
    return Match.MAYBE if is_part else Match.OTHER


def _fits(parts: list[str], text: str) -> bool:
    """Return whether a text consists of these parts, the first at its start and the last at its end, and of others."""
    first, *middle, last = parts
    if not text.startswith(first):
        return False
    at = len(first)
    for part in middle:
        at = text.find(part, at) + len(part)
        if at < len(part):
            return False
    return len(text) - at >= len(last) and text.endswith(last)


def match_code(shown: str | None, code: str) -> Match:
    """Return whether a one-time password that the service shows is this one, which consists of digits."""
    if shown == code:
        return Match.SAME
    if shown is None or not (shown.isascii() and shown.isdigit()):
        return Match.MAYBE  # Hidden or masked.
    is_rounded = shown.lstrip("0") == code.lstrip("0") or code.startswith(shown) or code.endswith(shown)
    return Match.MAYBE if is_rounded else Match.OTHER


_LONG = 20
"""The number of letters and digits from which a name may have been cut: the service's limit is not documented."""

_MANY_TIMES = 20
"""How much longer than a name its forms may be: Unicode takes quadratic time to normalise a text of marks alone."""


def match_name(shown: str | None, name: str) -> Match:
    """Return whether a name that the service shows is this one."""
    if shown is None or not shown.strip():
        return Match.MAYBE
    if len(shown) > _MANY_TIMES * len(name):
        return Match.OTHER
    text, sent = spaced(shown), spaced(name)
    if text == sent:  # Services strip spaces from names.
        return Match.SAME
    kept = re.split("[?\ufffd]+", text)  # Each character that cannot be stored becomes a question mark, or several.
    has_lost = len(text) >= len(sent) and len(kept) > 1 and _fits(kept, sent)
    letters, of_name = _letters(shown), _letters(name)
    is_cut = len(letters) >= _LONG and of_name.startswith(letters)
    is_plain = letters in (of_name, of_name.encode("ascii", "ignore").decode())
    return Match.MAYBE if has_lost or is_cut or is_plain else Match.OTHER


def spaced(text: str) -> str:
    """Return a text with single spaces, and each character in one form of Unicode."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def _letters(text: str) -> str:
    """Return the part of a text that services keep: its letters and digits, without accents and case."""
    if "&" in text:
        with loading("html", is_before_send=False):
            from html import unescape  # noqa: PLC0415 - its table of entities is rarely needed

        text = unescape(text)
    text = unicodedata.normalize("NFKD", text).casefold()
    return "".join(character for character in text if character.isalnum())


def match_id(shown: str, id: str) -> Match:
    """Return whether an id of letters and digits that the service shows is this one."""
    if shown == id:
        return Match.SAME
    plain, sent = (text.strip().casefold().lstrip("0") for text in (shown, id))
    hides = re.search(r"[^\w\-]", shown.strip()) is not None and re.search(r"[^\w\-]", id.strip()) is None
    return Match.MAYBE if plain == sent or hides or not plain else Match.OTHER
