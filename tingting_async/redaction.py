"""What no text that this library writes may show. Imports nothing of ours."""

import re

SECURE = "[secure]"

_TOKEN = re.compile(r"eyJ[\w-]*\.[\w-]*(\.[\w-]*)?|\b[0-9a-fA-F]{20,}\b|(?i:\bbearer\s+)\S+")
_USER = re.compile(r"(?<=//)[^\s/@]+(?=@)")
# `\d` takes in Devanagari digits. One-time codes are spelt with spaces for the speech synthesis: "1 2 3 4 5".
_PHONE_NUMBER = re.compile(r"\d(?:[\s()./_-]{0,3}\d){6,}")
_ABOUT_CODES = re.compile(r"(?i)\b(otp|one.time|code|pin|passcode)\b|कोड")
_CODE = re.compile(r"\d(?:[\s()./_-]{0,3}\d){3,}")

# What is secret by its name, whatever its form: a token without one, a code of three digits.
_NAMED = re.compile(
    r'(?i)("(?:access|refresh|token|otp|password|api_?key)"\s*:\s*)(?!null)(?:"(?:[^"\\]|\\.)*"?|[^\s"{\[,}\]]+)'
)


def redact(text: str, *, codes: bool = False) -> str:
    """Mask tokens, users in URLs and phone numbers; with `codes`, or in a text about codes, four digits and more."""
    text = _NAMED.sub(rf'\1"{SECURE}"', text)
    text = _USER.sub(SECURE, _TOKEN.sub(SECURE, text))
    codes = codes or _ABOUT_CODES.search(text) is not None
    return (_CODE if codes else _PHONE_NUMBER).sub(lambda match: mask(match[0]), text)


def mask(number: object) -> str:
    """Return a number of which only the last two digits can be read; a short one not at all."""
    digits = [character for character in str(number) if character.isdigit()]
    return "…" + "".join(digits[-2:]) if len(digits) >= 7 else "…"


def mask_repr(value: object) -> str:
    """Serve as the `repr` of an attrs field that holds a phone number."""
    return "None" if value is None else f"'{mask(value)}'"


def hide_repr(value: object) -> str:
    """Serve as the `repr` of an attrs field that holds a secret; tells only whether there is one."""
    return repr(value) if value in (None, "") else f"'{SECURE}'"
