"""Which row of a table has the headers, and which rows above it are titles."""

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

from tingting_async.errors import UsageError
from tingting_async.recipients import headers
from tingting_async.recipients.numbers import NepaliNumber, find_number
from tingting_async.recipients.values import is_blank

Row: TypeAlias = tuple[int, Sequence[object]]
"""The number of a row, as the file shows it, and its cells."""

_DIGITS = 7
"""The minimum number of digits of a phone number."""
_SEARCHED = 30
"""How many rows are searched for headers."""
_DAY = re.compile(
    r"(?<!\d)(?:\d{4}[-/.]\d{1,3}(?:[-/.]\d{1,2})?|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})(?![-/.]?\d)"
    r"(?:[ T]+\d{1,2}:\d{2}(?::\d{2})?)?"
)
"""A date, with a time or not, or a fiscal year."""
_FIGURE = re.compile(r"\d(?:[().-]?\d){4,}")
_AMOUNT = re.compile(r"[\d\s.,%/()+-]+")
_MISSING = re.compile(r"n a|na|none|nil|null|nan|unknown|tbd|tba|pending|(?:not available|no number)|छैन|थाहा छैन|x+|")


class HeaderRowFinder:
    """Finds the row with the headers among the first rows of a table.

    Args:
        number: The header or the letters of the column with the phone numbers; None if it is to be found.
        has_header: Whether the table has headers; None if that is to be found out.
        is_number: Returns whether a cell is a phone number that can be reached.
    """

    def __init__(self, number: str | None, has_header: bool | None, is_number: Callable[[object], bool]) -> None:
        self._number = number and headers.plain(number)
        self._has_header = has_header
        self._is_number = is_number

    def find(self, rows: Sequence[Row]) -> int | None:
        """Return the place of the row with the headers; None if there is none.

        Raises:
            UsageError: Several rows may have the headers, or the row may be a row of the list.
        """
        if self._has_header is False:
            return None
        ours = (place for place, (_, cells) in enumerate(rows) if headers.REASON in cells)
        if (place := next(ours, None)) is not None:
            return place
        wide = [place for place, (_, cells) in enumerate(rows) if _count(cells) > 1 or width_of(rows) == 1]
        numbered = [place for place in wide if any(map(self._is_number, rows[place][1]))]
        # A number with a label may be in a title, "Tel: 01-4412345"; one without a label is in a row of the list.
        bare = (place for place in numbered if any(map(self._is_bare, rows[place][1])))
        named = [place for place in wide if place < _SEARCHED and self._names_number(rows[place][1])]
        end = next(bare, _SEARCHED)
        before = [place for place in named if place < end]
        if before or (named and self._has_header):
            return self._best(rows, before or named)
        if numbered and self._names_its_column(rows, numbered[0]):
            return numbered[0] - 1
        above = [place for place in wide if not numbered or place < numbered[0]]
        if self._has_header:
            return above[0] if above else 0 if rows else None
        return self._guess(rows, above, numbered[0]) if numbered else None

    def is_guess(self, cells: Sequence[object]) -> bool:
        """Return whether a row is taken for the header row only because of its place."""
        return self._has_header is None and headers.REASON not in cells and not self._names_number(cells)

    def titles(self, above: Sequence[Row], number: int, header: Row, width: int) -> list[int]:
        """Return the numbers of the rows above the headers that are titles. The others are left out with a problem.

        Raises:
            UsageError: One of them may be a row of the list.
        """
        for row, cells in above:
            if self._is_person(cells, number, width) and headers.REASON not in header[1]:
                choice = "" if self._has_header else ", or say with `has_header=` whether there are headers"
                raise UsageError(
                    f"Row {row} seems to be a row of the list, and is above row {header[0]}, which seems to have the "
                    f"headers. Move it or remove it{choice}."
                )
        return [row for row, cells in above if is_title(cells, number)]

    def _names_number(self, cells: Sequence[object]) -> bool:
        texts = [str(cell) for cell in cells if not is_blank(cell)]
        if any(map(has_figure, texts)) or any(map(_is_number, cells)):
            return False
        if self._number and any(headers.plain(text) == self._number for text in texts):
            return True
        if any(_MISSING.fullmatch(plain) for text in texts if len(plain := headers.plain(text)) > 1):
            return False
        return any(headers.rank(text) is not None for text in texts)

    def _names_its_column(self, rows: Sequence[Row], first: int) -> bool:
        """Return whether the row above the first number has a single cell, which is the header of the number's column.

        An index column has no header.
        """
        cells = rows[first - 1][1] if first else ()
        index = next((index for index, cell in enumerate(cells) if not is_blank(cell)), 0)
        return self._names_number(cells) and _count(cells) == 1 and self._is_number(cell_of(rows[first][1], index))

    def _best(self, rows: Sequence[Row], named: Sequence[int]) -> int:
        """Return the place of the candidate that is most clearly the header row."""
        keys = [self._clarity(rows, place) for place in named]
        same = [place for place, key in zip(named, keys, strict=True) if key == max(keys)]
        fullest = max(same, key=lambda place: _count(rows[place][1]))
        if self._has_header:
            return fullest
        best = same[0]
        if _count(rows[fullest][1]) > _count(rows[best][1]) or self._recurs(rows, best):
            several = " or ".join(f"row {rows[place][0]}" for place in sorted({best, fullest}))
            raise UsageError(
                f"It is not clear whether {several} has the headers, or is a row of the list. Say it with "
                "`has_header=`, or give the header of the column with the phone numbers as `number=`."
            )
        return best

    def _clarity(self, rows: Sequence[Row], place: int) -> tuple[bool, bool, bool]:
        texts = {index: str(cell) for index, cell in enumerate(rows[place][1]) if not is_blank(cell)}
        ranked = [index for index, text in texts.items() if headers.rank(text) is not None]
        return (
            any(headers.plain(text) == self._number for text in texts.values()),
            any(self._is_number(cell_of(cells, index)) for index in ranked for _, cells in rows[place + 1 :]),
            any(not headers.owner(texts[index]) for index in ranked),
        )

    def _guess(self, rows: Sequence[Row], above: Sequence[int], first: int) -> int | None:
        """Return the first row that has something in each column, if all of it may be headers."""
        given = [index for index, cell in enumerate(rows[first][1]) if not is_blank(cell)]
        full = (place for place in above if not any(is_blank(cell_of(rows[place][1], index)) for index in given))
        place = next(full, None)
        if place is None or self._recurs(rows, place):
            return None
        texts = [str(cell) for cell in rows[place][1] if not is_blank(cell)]
        if any(
            has_figure(text) or _AMOUNT.fullmatch(text) or _MISSING.fullmatch(headers.plain(text)) for text in texts
        ):
            return None
        numbers = (index for index, cell in enumerate(rows[first][1]) if self._is_number(cell))
        are_remarks = any(headers.is_remark(str(cell_of(rows[place][1], index))) for index in numbers)
        return None if are_remarks else place

    def _recurs(self, rows: Sequence[Row], place: int) -> bool:
        """Return whether a cell occurs again, in the same column, in a row below that has a phone number.

        Values recur; headers do not.
        """
        own = rows[place][1]
        below = [cells for _, cells in rows[place + 1 :] if any(map(self._is_number, cells))]
        return any(
            not is_blank(cell) and any(cell_of(cells, index) == cell for cells in below)
            for index, cell in enumerate(own)
        )

    def _is_bare(self, cell: object) -> bool:
        return self._is_number(cell) and not any(map(str.isalpha, str(cell)))

    def _is_person(self, cells: Sequence[object], number: int, width: int) -> bool:
        """Return whether a row above the headers seems to be a row of the list."""
        cell = cell_of(cells, number)
        if self._has_header or (_count(cells) == 1 and width > 1):
            return self._is_bare(cell) or (self._is_number(cell) and not is_title(cells, number))
        text = str(cell)
        return not is_blank(cell) and (has_figure(text) or _MISSING.fullmatch(headers.plain(text)) is not None)


def width_of(rows: Sequence[Row]) -> int:
    """Return how many columns a table has."""
    return max((len(cells) for _, cells in rows), default=0)


def cell_of(cells: Sequence[object], index: int) -> object:
    """Return a cell of a row; None if the row does not have it."""
    return cells[index] if index < len(cells) else None


def is_title(cells: Sequence[object], number: int) -> bool:
    """Return whether a row that is not below headers is a title: it has no number, or only one that it names."""
    filled = [str(cell) for cell in cells if not is_blank(cell)]
    figures = [text for text in filled if has_figure(text)]
    if len(filled) == 1:
        return all(map(_is_labelled, figures))
    return not figures and is_blank(cell_of(cells, number))


def _is_labelled(text: str) -> bool:
    """Return whether a text says what its number is, as in "Tel: 01-4412345" and "PAN No. 301234567"."""
    label = text[: found.start()] if (found := re.search(r"[\d+(]", text)) else ""
    return headers.rank(label) is not None or not headers.may_be_phones(label)


def _is_number(cell: object) -> bool:
    """Return whether a cell is a phone number, be it one that texts cannot reach."""
    has_digits = sum(map(str.isdigit, str(cell))) >= _DIGITS
    return has_digits and isinstance(find_number(cell, False, False), NepaliNumber)


def _count(cells: Sequence[object]) -> int:
    return sum(not is_blank(cell) for cell in cells)


def has_figure(text: str) -> bool:
    """Return whether a text has five digits or more in a row, which no header has, apart from those of dates."""
    text = _DAY.sub("", text)
    if any(map(str.isalpha, text)):
        return _FIGURE.search(text) is not None
    return sum(map(str.isdigit, text)) >= 5
