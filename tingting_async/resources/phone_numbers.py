"""Phone numbers of Nepal, as arguments."""

import re
from collections.abc import Iterable

from tingting_async.errors import UsageError
from tingting_async.redaction import mask

# phonenumbers would find other numbers than these texts mean: the first in "9800000001;9800000002", the digits on a
# phone's keys in "9841CALLME", and a part of "-9800000001" and "9800000001 ext. 5".
_MOBILE = re.compile(r"9[78][0-9]{8}")
_NUMBER = re.compile(r"\s*\+?[\d(][\d\s().\-\u2010-\u2015]*")


def phone_number(value: str | int, name: str = "number") -> str:
    """Return a phone number of Nepal as the service writes it: digits, without the country code.

    Raises:
        UsageError: The value is not a phone number, or one of another country.
    """
    if type(value) is str and _MOBILE.fullmatch(value):  # Most numbers are: all else takes a hundred times as long.
        return value
    # Imported for the first number of another form: its tables take longer to import than everything else.
    from phonenumbers import (  # noqa: PLC0415
        NumberParseException,
        ValidationResult,
        is_possible_number_with_reason,
        parse,
    )

    if type(value) not in (str, int):
        raise UsageError(f"`{name}` must be a phone number as a string or an integer, not {type(value).__name__}.")
    if type(value) is int and abs(value) >= 10**18:  # Python converts no integer of more than 4,300 digits to a string.
        raise UsageError(f"`{name}` has too many digits for a number of Nepal.")
    try:
        number = parse(str(value), "NP") if _NUMBER.fullmatch(str(value)) else None
    except NumberParseException:
        number = None
    if number is None:
        raise UsageError(f"`{name}` ({mask(value)}) is not a valid phone number.")
    if number.country_code != 977:
        raise UsageError(f"`{name}` ({mask(value)}) is a number of another country; TingTing calls only Nepal.")
    # A local number without its area code is a different number in each area.
    if is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        many = len(str(number.national_number))
        raise UsageError(f"`{name}` ({mask(value)}) has {many} digits: too few or too many for a number of Nepal.")
    digits = str(number.national_number)
    if digits.startswith("9") and len(digits) not in (
        8,
        10,
    ):  # Landlines of the area codes 91 to 99 have 8, mobiles 10.
        raise UsageError(f"`{name}` ({mask(value)}) has {len(digits)} digits; a mobile number of Nepal has 10.")
    return digits


_PREFIXES = frozenset({"", "0", "977", "9770", "00977"})


def is_same_number(text: str | None, digits: str) -> bool:
    """Return whether a number that the service lists, in any spelling, has these digits.

    The last digits alone do not decide: a mobile number may end in the digits of a landline.
    """
    found = "".join(character for character in text or "" if character.isdigit())
    return found.endswith(digits) and found.removesuffix(digits) in _PREFIXES


def phone_numbers(values: Iterable[str | int], name: str = "numbers") -> list[str]:
    """Return several phone numbers.

    Raises:
        UsageError: There are none, one is not valid, or one is given twice, which would mean two calls. `problems`
            lists every number that was refused.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise UsageError(f"`{name}` must be a list of numbers, not {type(values).__name__}.")
    found: dict[str, int] = {}
    problems: list[tuple[str, str]] = []
    for index, value in enumerate(values):
        where = f"{name}[{index}]"
        try:
            number = phone_number(value, where)
        except UsageError as error:
            problems.append((where, str(error)))
            continue
        if number in found:
            same = f"the same as `{name}[{found[number]}]` ({mask(number)}): that person would be reached twice."
            problems.append((where, f"`{where}` is {same}"))
        found.setdefault(number, index)
    if problems:
        more = f" And {len(problems) - 3} more, see `problems` of this error." if len(problems) > 3 else ""
        raise UsageError(" ".join(said for _, said in problems[:3]) + more, problems=tuple(problems))
    if not found:
        raise UsageError(f"`{name}` is empty.")
    return list(found)
