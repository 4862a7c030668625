"""Reads the phone numbers in the cells of a list."""

import re
from collections.abc import Iterator, Sequence

from tingting_async.recipients import headers
from tingting_async.recipients.columns import Columns, shown
from tingting_async.recipients.numbers import COMPARE, NepaliNumber, NumberKind, described, find_number, ordinary_mobile
from tingting_async.recipients.options import Options
from tingting_async.recipients.problems import NumberProblem, Refusal
from tingting_async.redaction import mask

_SEPARATORS = re.compile(r"\s*(?::::|[/,;|&\r\n]|\b(?:or|and)\b|(?<!\w)(?:वा|र|तथा|अथवा)(?!\w))\s*", re.IGNORECASE)


class NumberReader:
    """Reads cells as the options say.

    Args:
        options: How rows are read.
        are_typed: Whether a program has given the cells, and not a spreadsheet, which may have padded numbers.
    """

    def __init__(self, options: Options, *, are_typed: bool) -> None:
        self._options = options
        self._are_typed = are_typed

    def read(self, cell: object) -> str | tuple[NumberProblem, str]:
        """Return the national digits of a cell's number; or why there is none, as the end of a sentence."""
        if (mobile := ordinary_mobile(cell)) is not None:
            return mobile
        found = self._find(cell)
        if isinstance(found, NepaliNumber):
            return found.national
        said = described(found, cell)
        if found.problem is NumberProblem.AMBIGUOUS and not self._options.split_numbers:
            said += ", and the other in a row of its own; or take each of them with `split_numbers=True`"
        elif found.problem is NumberProblem.PADDED:
            typed = "give it as an integer, or " if self._are_typed and not _is_typed(cell) else ""
            said += f". {COMPARE}. If it is right, {typed}give `allow_padded=True`"
        return found.problem, said

    def is_number(self, cell: object) -> bool:
        """Return whether a cell is a phone number that can be reached."""
        if isinstance(cell, str) and not 7 <= sum(map(str.isdigit, cell)) <= 40:
            return False
        return isinstance(self._find(cell), NepaliNumber)

    def _find(self, cell: object) -> NepaliNumber | Refusal:
        options = self._options
        mobile_only, allow_unknown_prefix = options.mobile_only, options.allow_unknown_prefix
        found = find_number(cell, mobile_only, allow_unknown_prefix, options.allow_padded)
        if isinstance(found, Refusal) and found.problem is NumberProblem.PADDED and self._are_typed and _is_typed(cell):
            padded = find_number(cell, mobile_only, allow_unknown_prefix, allow_padded=True)
            if isinstance(padded, NepaliNumber) and padded.kind is NumberKind.MOBILE:  # Others may be amounts.
                return padded
        return found

    def elsewhere(self, columns: Columns, cells: Sequence[object]) -> str:
        """Return a sentence about a number that a row has in another column; an empty text if it has none.

        The person would be lost without a word if only the column of the phone numbers were looked at.
        """
        for index, (name, cell) in enumerate(zip(columns.names, cells, strict=False)):
            if index == columns.number or index in columns.ours or not self.is_number(cell):
                continue
            number = self.read(cell)
            # Figures of eight digits may be landlines, and many other things.
            is_mobile = len(number) == 10 and headers.may_be_phones(name)
            if isinstance(number, str) and (is_mobile or headers.rank(name) is not None):
                return (
                    f"Column {columns.where(index)} has the number {mask(number)}. If it is the right one, copy it, or "
                    f"give `number={shown(name)!r}`"
                )
        return ""


def _is_typed(cell: object) -> bool:
    """Return whether a number is an integer or text, and not the text of a float, which may have been rounded."""
    return isinstance(cell, int | NepaliNumber) or (isinstance(cell, str) and "." not in cell)


def split(cell: object) -> Iterator[str]:
    """Return the parts of a cell that has several numbers."""
    return filter(None, _SEPARATORS.split(str(cell)))
