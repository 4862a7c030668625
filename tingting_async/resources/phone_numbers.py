"""Phone numbers of Nepal, as arguments."""

import asyncio
import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from unicodedata import decimal

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
    if type(value) is int and 9_700_000_000 <= value < 9_900_000_000:
        return str(value)
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


PREFIXES = frozenset({"", "0", "977", "9770", "00977"})
"""What may come before the digits of a number."""


def is_same_number(text: str | None, digits: str) -> bool:
    """Return whether a number that the service lists, in any spelling, has these digits.

    The last digits alone do not decide: a mobile number may end in the digits of a landline.
    """
    found = "".join(character for character in ascii_digits(text or "") if character.isdecimal())
    return found.endswith(digits) and found.removesuffix(digits) in PREFIXES


def ascii_digits(text: str) -> str:
    """Return a text with the digits of other scripts, such as Devanagari, as those of ASCII."""
    return text if text.isascii() else "".join(str(decimal(character, character)) for character in text)


MAX_PROBLEMS = 1000
"""How many refused rows an error lists at most."""


ROWS_PER_TURN = 100
"""How many rows are checked before other tasks run. A row takes up to 0.2 ms, if its number is written with spaces."""


class NumberSet:
    """A set of phone numbers in little memory: about two bytes a number, and 25 MB for all mobile numbers of Nepal."""

    _MAX_SPARSE = 4096  # A block of 65,536 numbers has a list of its members, or, above this, a bit for each number.

    def __init__(self) -> None:
        self._blocks: dict[int, array[int] | bytearray] = {}

    def __contains__(self, number: str) -> bool:
        high, low = divmod(int(number), 65_536)
        block = self._blocks.get(high, b"")
        if isinstance(block, array):
            place = bisect_left(block, low)
            return place < len(block) and block[place] == low
        return bool(block) and block[low >> 3] & 1 << (low & 7) > 0

    def add(self, number: str) -> bool:
        """Add a number; return whether it is new."""
        high, low = divmod(int(number), 65_536)
        block = self._blocks.get(high)
        if block is None:
            self._blocks[high] = array("H", (low,))
            return True
        if isinstance(block, bytearray):
            byte, bit = low >> 3, 1 << (low & 7)
            is_new = not block[byte] & bit
            block[byte] |= bit
            return is_new
        place = bisect_left(block, low)
        if place < len(block) and block[place] == low:
            return False
        block.insert(place, low)
        if len(block) > self._MAX_SPARSE:
            bits = self._blocks[high] = bytearray(8192)
            for each in block:
                bits[each >> 3] |= 1 << (each & 7)
        return True


class RowChecker:
    """Checks the rows of a call, and collects what is wrong with them, so that one error can name all of it.

    Args:
        name: The name of the argument.
        seen: The numbers of earlier rows, for rows without end: `numbers` is not filled then.
    """

    def __init__(self, name: str, seen: NumberSet | None = None) -> None:
        self.name: str = name
        self.seen: NumberSet | None = seen
        self.numbers: dict[str, int] = {}
        """The numbers that are valid, each with the first row that has it."""
        self._problems: list[tuple[str, str]] = []
        self._count = 0

    def check_number(self, value: str | int, row: int) -> str | None:
        """Return a phone number; None if it is not valid, or is the number of an earlier row."""
        where = f"{self.name}[{row}]"
        try:
            number = phone_number(value, where)
        except UsageError as error:
            self.refuse((where, str(error)))
            return None
        if self.seen is not None:
            if self.seen.add(number):
                return number
            earlier = "an earlier row"
        else:
            if (first := self.numbers.setdefault(number, row)) == row:
                return number
            earlier = f"`{self.name}[{first}]`"
        same = f"the same as {earlier} ({mask(number)}): that person would be reached twice."
        self.refuse((where, f"`{where}` is {same}"))
        return None

    def refuse(self, *problems: tuple[str, str]) -> None:
        """Note problems: the place of each, and what is wrong there."""
        self._count += len(problems)
        self._problems += problems[: MAX_PROBLEMS - len(self._problems)]

    def finish(self) -> None:
        """Raise an error if there is a problem.

        Raises:
            UsageError: Its text has the first three problems, its `problems` the first thousand.
        """
        if self._count:
            more = f" And {self._count - 3} more, see `problems` of this error." if self._count > 3 else ""
            text = " ".join(said for _, said in self._problems[:3]) + more
            raise UsageError(text, problems=tuple(self._problems))


async def phone_numbers(values: Iterable[str | int], name: str = "numbers") -> list[str]:
    """Return several phone numbers. Other tasks run while they are checked.

    Raises:
        UsageError: There are none, one is not valid, or one is given twice, which would mean two calls. `problems`
            lists the numbers that were refused.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise UsageError(f"`{name}` must be a list of numbers, not {type(values).__name__}.")
    checker = RowChecker(name)
    for row, value in enumerate(list(values)):  # Other tasks may change the collection meanwhile.
        if row % ROWS_PER_TURN == ROWS_PER_TURN - 1:
            await asyncio.sleep(0)
        checker.check_number(value, row)
    checker.finish()
    if not checker.numbers:
        raise UsageError(f"`{name}` is empty.")
    return list(checker.numbers)
