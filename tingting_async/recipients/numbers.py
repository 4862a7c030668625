"""Phone numbers of Nepal."""

import re
from decimal import Decimal
from enum import StrEnum
from functools import cache
from numbers import Real
from typing import Any

import attrs

from tingting_async.late_imports import loading
from tingting_async.quantities import counted
from tingting_async.recipients.problems import InvalidNumberError, NumberProblem, Refusal
from tingting_async.recipients.spellings import PREFIXES, SEVERAL, dialled
from tingting_async.redaction import mask, mask_repr
from tingting_async.tracebacks import short_traceback


class NumberKind(StrEnum):
    """What a phone number belongs to.

    Attributes:
        MOBILE: A mobile phone, which can be called and receives texts.
        LANDLINE: A landline, which can only be called.
    """

    MOBILE = "mobile"
    LANDLINE = "landline"


@attrs.frozen
class NepaliNumber:
    """A phone number of Nepal.

    Attributes:
        national: The digits as the service writes them, without the country code: `"9841234567"`.
        kind: Whether it is a mobile number or a landline.
    """

    national: str = attrs.field(repr=mask_repr)
    kind: NumberKind

    @property
    def e164(self) -> str:
        """The number in international form: `"+9779841234567"`."""
        return f"+977{self.national}"


# Most cells are mobile numbers with nothing but a few familiar marks. All others take ten times as long.
_MOBILE = re.compile(r"9[78][0-9]{8}")
_ORDINARY = re.compile(r"\s*'?\s*(\+(?=977))?(?:([0-9][0-9 ()-]*)\.?|([0-9]+)\.00?)\s*")
_BETWEEN = dict.fromkeys(map(ord, " ()-"))
_FAMILIAR: dict[int, str] = {
    **{zero + digit: str(digit) for zero in (0x966, 0xFF10) for digit in range(10)},  # Devanagari and full-width.
    **dict.fromkeys((0xA0, 0x202F), " "),  # Spaces that do not break.
    **dict.fromkeys((0x2010, 0x2011, 0x2012, 0x2013, 0x2212), "-"),
    **dict.fromkeys((0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x202A, 0x202C, 0x2066, 0x2069, 0xFEFF), ""),
}


def ordinary_mobile(value: object) -> str | None:
    """Return the national digits of a mobile number in a usual spelling; None for anything else, or if it is round."""
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is int:
        value = str(value) if 0 < value < 10**13 else ""
    if type(value) is not str or len(value) > 40:
        return None
    if _MOBILE.fullmatch(value):
        return value if _patterns().mobile.fullmatch(value) and not value.endswith(_ZEROS) else None
    found = _ORDINARY.fullmatch(value if value.isascii() else value.translate(_FAMILIAR))
    if found is None:
        return None
    digits = found[3] or found[2].translate(_BETWEEN)
    national, prefix = digits[-10:], digits[:-10]
    is_known = prefix in PREFIXES and (prefix or not found[1])
    is_mobile = is_known and _patterns().mobile.fullmatch(national) is not None
    return national if is_mobile and not national.endswith(_ZEROS) else None


@short_traceback
def parse_number(
    value: object,
    *,
    mobile_only: bool = False,
    allow_unknown_prefix: bool = False,
    allow_padded: bool = False,
    name: str = "value",
) -> NepaliNumber:
    """Return the phone number that a value means, in any spelling that people and spreadsheets produce.

    Args:
        value: The number as text or as a number: an integer, a float or a Decimal, also NumPy's.
        mobile_only: Whether to refuse landlines, which cannot receive texts.
        allow_unknown_prefix: Whether to accept a number of the right length whose prefix no known number has. Operators
            receive new prefixes from time to time.
        allow_padded: Whether to accept a number that ends in so many zeros that a spreadsheet may have replaced digits
            by zeros, or that it may be an amount.
        name: What to call the value in the error.

    Raises:
        InvalidNumberError: The value is not a phone number of Nepal. `problem` says why.
        TingTingError: The tables of phone numbers cannot be loaded, for example with too many files open.
    """
    number = find_number(value, mobile_only, allow_unknown_prefix, allow_padded)
    return _valid(number, value, name, f"{COMPARE}. If it is right, give `allow_padded=True`")


COMPARE = "Compare it with the original"
"""What to do with a number that a spreadsheet may have padded."""


def _valid(number: NepaliNumber | Refusal, value: object, name: str, if_padded: str) -> NepaliNumber:
    if isinstance(number, NepaliNumber):
        return number
    advice = f". {if_padded}" if number.problem is NumberProblem.PADDED else ""
    raise InvalidNumberError(f"`{name}` {described(number, value)}{advice}.", problem=number.problem)


def find_number(
    value: object, mobile_only: bool, allow_unknown_prefix: bool, allow_padded: bool = False
) -> NepaliNumber | Refusal:
    """Return the phone number that a value means, or why it is none; see `parse_number`."""
    mobile = ordinary_mobile(value)
    if mobile is not None:
        return NepaliNumber(mobile, NumberKind.MOBILE)
    return find_other_number(value, mobile_only, allow_unknown_prefix, allow_padded)


def find_other_number(
    value: object, mobile_only: bool, allow_unknown_prefix: bool, allow_padded: bool = False
) -> NepaliNumber | Refusal:
    """Return the phone number that a value means, or why it is none, if it is none of `ordinary_mobile`."""
    if isinstance(value, NepaliNumber):
        value = value.national
    found = dialled(value)
    number = found if isinstance(found, Refusal) else _nepali(found, allow_unknown_prefix, allow_padded)
    if mobile_only and isinstance(number, NepaliNumber) and number.kind is NumberKind.LANDLINE:
        return Refusal(NumberProblem.LANDLINE, "is a landline, which cannot receive texts")
    return number


def phone_number(value: object, name: str = "number", *, mobile_only: bool = False) -> str:
    """Return the digits of a number that a caller of the session gives, as the service writes them.

    The service decides about unknown prefixes, and a round number is the caller's own, unless a float may have rounded
    it.

    Raises:
        InvalidNumberError: The value is not a phone number, or one of another country.
    """
    if type(value) is str and _MOBILE.fullmatch(value):  # Most numbers are.
        return value
    is_typed = isinstance(value, str | int)
    found = find_number(value, mobile_only, True, is_typed)
    return _valid(found, value, name, f"{COMPARE}. If it is right, give it as a string or an integer").national


@attrs.frozen
class _Patterns:
    """Patterns of the national digits of numbers of Nepal."""

    mobile: re.Pattern[str]
    landline: re.Pattern[str]
    toll_free: re.Pattern[str]


@cache
def _patterns() -> _Patterns:
    # Imported for the first number: its tables take longer to import than everything else.
    with loading("phonenumbers", is_before_send=False):
        from phonenumbers.data.region_NP import PHONE_METADATA_NP as nepal  # noqa: N811, PLC0415

    kinds: tuple[Any, ...] = (nepal.mobile, nepal.fixed_line, nepal.toll_free)
    return _Patterns(*(re.compile(kind.national_number_pattern) for kind in kinds))


_ZEROS = "0" * 7
"""The end of a number that a spreadsheet may have padded: it shows 9779841234567 as 9.77984E+12."""
_AMOUNT_ZEROS = "0" * 5
_DAY_FIRST = re.compile(r"(?:0[1-9]|[12]\d|3[0-2])(?:0[1-9]|1[0-2])(?:19|20)\d\d")
"""A date without marks, such as 15082024."""


def _nepali(dialled: str, allow_unknown_prefix: bool, allow_padded: bool) -> NepaliNumber | Refusal:
    """Return the number of Nepal that is dialled with these digits."""
    national = _without_prefix(dialled)
    if isinstance(national, Refusal):
        return national
    patterns, length = _patterns(), len(national)
    if patterns.mobile.fullmatch(national):
        kind = NumberKind.MOBILE
    elif patterns.landline.fullmatch(national):
        kind = NumberKind.LANDLINE
    elif patterns.toll_free.fullmatch(national):
        return Refusal(NumberProblem.TOLL_FREE, "is a toll-free number, which belongs to no person")
    elif (length == 8 and not national.startswith(("0", "98"))) or (length == 10 and national.startswith("9")):
        if not allow_unknown_prefix:
            return Refusal(
                NumberProblem.UNKNOWN_PREFIX, f"begins with {national[:3]}, as no known number of Nepal does"
            )
        kind = NumberKind.MOBILE if length == 10 else NumberKind.LANDLINE
    else:
        return _wrong_length(dialled, national)
    if not allow_padded and national.endswith(_ZEROS):
        return Refusal(NumberProblem.PADDED, "ends in so many zeros that a spreadsheet may have padded it")
    if not allow_padded and kind is NumberKind.LANDLINE and dialled == national:
        advice = "if it is a landline, write it with 0 before its area code"
        if national.endswith(_AMOUNT_ZEROS):
            return Refusal(NumberProblem.AMOUNT, f"seems to be an amount; {advice}")
        if _DAY_FIRST.fullmatch(national):
            return Refusal(NumberProblem.DATE, f"seems to be a date; {advice}")
    return NepaliNumber(national, kind)


def _without_prefix(dialled: str) -> str | Refusal:
    """Return the digits after the prefix for calls to Nepal, or within it."""
    digits, is_international = dialled.removeprefix("+"), dialled.startswith("+")
    if digits.startswith("00"):
        digits, is_international = digits[2:], True
    elif digits.startswith("0977") and len(digits) >= 12:
        digits, is_international = digits[1:], True
    if digits.startswith("977") and (is_international or len(digits) > 10):
        return digits[3:].removeprefix("0")
    if not is_international:
        return digits.removeprefix("0")
    if digits.startswith("0") or not digits:
        return Refusal(NumberProblem.NOT_A_NUMBER, "is not a valid phone number: no country code begins with 0")
    return Refusal(NumberProblem.FOREIGN, "is a number of another country; TingTing calls only Nepal")


def _wrong_length(dialled: str, national: str) -> Refusal:
    length = len(national)
    if _are_several(national):
        return Refusal(NumberProblem.AMBIGUOUS, SEVERAL)
    if not dialled.startswith(("+", "0", "977")) and not _patterns().mobile.match(national) and _is_foreign(national):
        return Refusal(NumberProblem.FOREIGN, "is a number of another country; TingTing calls only Nepal")
    if length < 8:
        too_few = f"has {counted(length, 'digit')}: too few for a number of Nepal. A landline needs its area code"
        return Refusal(NumberProblem.TOO_SHORT, too_few)
    is_landline = _patterns().landline.match(national) is not None
    if length in (8, 9) and not is_landline:
        return Refusal(NumberProblem.TOO_SHORT, f"has {length} digits, too few; a mobile number of Nepal has 10")
    if length == 10 and not is_landline:
        begin = f"begins with {national[0]}, but every number of Nepal that has 10 digits begins with 9"
        return Refusal(NumberProblem.UNKNOWN_PREFIX, begin)
    many = f"has {length} digits, too many; a mobile number of Nepal has 10, and a landline 8 with its area code"
    return Refusal(NumberProblem.TOO_LONG, many)


def _are_several(digits: str) -> bool:
    """Return whether digits are several numbers of Nepal in a row."""
    if not 14 <= len(digits) <= 60:
        return False
    splits = ((digits[:place], digits[place:]) for place in range(7, min(16, len(digits) - 6)))
    return any(_is_one(first) and (_is_one(rest) or _are_several(rest)) for first, rest in splits)


def _is_one(digits: str) -> bool:
    """Return whether digits are a number of Nepal; a landline may lack its area code."""
    national = _without_prefix(digits)
    if isinstance(national, Refusal):
        return False
    patterns = (_patterns().mobile, _patterns().landline, re.compile(r"[4-6]\d{6}"))
    return any(pattern.fullmatch(national) for pattern in patterns)


def _is_foreign(digits: str) -> bool:
    """Return whether digits are a valid number of another country, written without a plus sign."""
    if not 11 <= len(digits) <= 15:
        return False
    with loading("phonenumbers", is_before_send=False):
        from phonenumbers import NumberParseException, is_valid_number, parse  # noqa: PLC0415

        try:
            return is_valid_number(parse(f"+{digits}"))  # This imports the tables of the country.
        except NumberParseException:
            return False


def described(refusal: Refusal, value: object) -> str:
    """Return the masked end of a refused value, and what is wrong with it."""
    value = value.national if isinstance(value, NepaliNumber) else value
    end = "" if refusal.problem is NumberProblem.BLANK else _masked_end(value)
    return f"{end}{refusal.reason}"


def _masked_end(value: object) -> str:
    """Return the end of a value as it was typed, in brackets; empty if it is not a number at all."""
    if isinstance(value, bool) or (
        isinstance(value, int) and abs(value) >= 10**18
    ):  # Python converts no integer of more than 4,300 digits.
        return ""
    typed = str(value).strip() if isinstance(value, str | Decimal | Real) else ""
    whole, dot, fraction = typed.rpartition(".")
    if dot and fraction.isdigit() and len(fraction) <= 2:  # `mask` would show the end of 9841234567.0 as 70.
        return f"({mask(whole)}.{fraction}) "
    return f"({mask(typed)}) " if typed else ""
