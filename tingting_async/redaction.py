"""Masks secrets and phone numbers in the texts that the library writes: errors, logs and reprs."""

import re
from collections.abc import Sequence

SECURE = "[secure]"

# Patterns as text: `re` compiles them on first use. Compiling them here would take a hundredth of importing aiohttp.
_UUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"

# Every text of a server is searched, so the time must be linear: no pattern may scan the same characters from many
# starting points. Without its dots, this one is not a token, but it still skips what it has scanned.
_JWT = r"eyJ[\w-]*+(?:\.[\w-]*+(?:\.[\w-]*+)?)?"
_TOKENS = r"\b[0-9a-fA-F]{20,}\b|(?i:\bbearer\s+)\S+"
_USER = r"(?<=//)[^\s/@]+(?=@)"
# `\d` matches Devanagari digits as well. One-time codes are written with spaces for speech synthesis: "1 2 3 4 5".
_PHONE_NUMBER = r"\d(?:[\s()./_-]{0,3}\d){6,}"
_ABOUT_CODES = r"(?i)\b(otp|one.time|code|pin|passcode)\b|कोड"
_CODE = r"\d(?:[\s()./_-]{0,3}\d){3,}"

# Values that are secret because of their field, regardless of their form: an opaque token, a code of three digits.
_NAMED = r'(?i)("(?:access|refresh|token|otp|password|api_?key)"\s*:\s*)(?!null)(?:"(?:[^"\\]|\\.)*"?|[^\s"{\[,}\]]+)'

# Cookies and credentials that a service or aiohttp quotes from a header or a query, in any form.
_HEADER = (
    r"""(?i)(\b(?:set-)?cookie["']?\s*:\s*["']?)[^\r\n"'<]+"""
    r"""|(\b(?:access|refresh|token|sessionid|csrftoken|api_?key)=)[^\s;&"'<]+"""
)


def redact(text: str, *, codes: bool = False) -> str:
    """Return a text with tokens, credentials in URLs and phone numbers masked.

    Args:
        text: The text.
        codes: Whether to mask every run of four digits or more, too. A text that mentions codes is always masked so.
    """
    text = re.sub(_NAMED, rf'\1"{SECURE}"', text)
    text = re.sub(_JWT, lambda match: SECURE if "." in match[0] else match[0], text)
    text = re.sub(_HEADER, lambda match: f"{match[1] or match[2]}{SECURE}", text)
    text = re.sub(_USER, SECURE, re.sub(_TOKENS, SECURE, text))
    codes = codes or re.search(_ABOUT_CODES, text) is not None
    return re.sub(_CODE if codes else _PHONE_NUMBER, lambda match: mask(match[0]), text)


def shorten(text: str, length: int) -> str:
    """Return a text of at most `length` characters. Its middle is cut, because its end may say what to do."""
    end = length // 4
    return text if len(text) <= length else f"{text[: length - end - 1]}…{text[-end:]}"


def as_sentence(text: str) -> str:
    """Return a text with a capital at its beginning and a full stop at its end, to stand between other sentences."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?", "…", ":")) else f"{text}."


def repr_uuid(value: object) -> str:
    """Return the repr of an attrs field that holds a UUID, which is not secret. Anything else is masked."""
    return repr(value) if isinstance(value, str) and re.fullmatch(_UUID, value) else repr_text(value)


def repr_items(items: Sequence[object]) -> str:
    """Return the repr of an attrs field that may hold many items: of more than three, only their number."""
    if len(items) > 3:
        return f"<{len(items)} items>"
    shown = [redact(each) if isinstance(each, str) else each for each in items]
    return repr(shown if isinstance(items, list) else tuple(shown))


def mask(number: object) -> str:
    """Return a number with all but its last two digits masked; all digits if it has fewer than seven."""
    digits = "".join(filter(str.isdigit, str(number)))
    return f"…{digits[-2:]}" if len(digits) >= 7 else "…"


def mask_repr(value: object) -> str:
    """Return the repr of an attrs field that holds a phone number."""
    return "None" if value is None else f"'{mask(value)}'"


def repr_text(value: object) -> str:
    """Return the repr of an attrs field that holds text of the service, which may contain a phone number or a token."""
    return redact(repr(value))


def hide_repr(value: object) -> str:
    """Return the repr of an attrs field that holds a secret. It shows only whether there is one."""
    return repr(value) if value in (None, "") else f"'{SECURE}'"
