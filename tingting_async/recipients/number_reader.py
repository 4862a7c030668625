"""Reads the phone numbers in the cells of a list."""

import re
from collections.abc import Iterator, Sequence

from tingting_async.recipients import headers
from tingting_async.recipients.columns import Columns, shown
from tingting_async.recipients.numbers import NepaliNumber, described, find_number, ordinary_mobile
from tingting_async.recipients.options import Options
from tingting_async.recipients.problems import NumberProblem, Refusal
from tingting_async.redaction import mask

_SEPARATORS = re.compile(r"\s*(?::::|[/,;|&\r\n]|\b(?:or|and)\b|(?<!\w)(?:वा|र|तथा|अथवा)(?!\w))\s*", re.IGNORECASE)


class NumberReader:
    """Reads cells as the options say.

    Args:
        options: How rows are read.
    """

    def __init__(self, options: Options) -> None:
        self._options = options

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
        return found.problem, said

    def is_number(self, cell: object) -> bool:
        """Return whether a cell is a phone number that can be reached."""
        if isinstance(cell, str) and not 7 <= sum(map(str.isdigit, cell)) <= 40:
            return False
        return isinstance(self._find(cell), NepaliNumber)

    def _find(self, cell: object) -> NepaliNumber | Refusal:
        options = self._options
        return find_number(cell, options.mobile_only, options.allow_unknown_prefix)

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


def split(cell: object) -> Iterator[str]:
    """Return the parts of a cell that has several numbers."""
    return filter(None, _SEPARATORS.split(str(cell)))
