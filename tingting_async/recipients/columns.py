"""Which row of a table has the headers, and which column has the phone numbers."""

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

import attrs

from tingting_async.errors import UsageError
from tingting_async.recipients import headers
from tingting_async.recipients.values import is_blank
from tingting_async.redaction import redact, shorten

SAMPLE = 100
"""How many rows are looked at before the columns are decided."""
_SEARCHED = 30
"""How many of them are searched for headers."""

_DAY = r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}"

Row: TypeAlias = tuple[int, Sequence[object]]
"""The number of a row, as the file shows it, and its cells."""


@attrs.frozen
class Columns:
    """The columns of a table.

    Attributes:
        names: The name of each column: its header, or its letters if it has none.
        number: The index of the column with the phone numbers.
        header_row: The number of the row with the headers; None if there is none.
        titles: The numbers of the rows above the headers, which are not rows of the list.
        unnamed: The indexes of the columns without a header, in a table with headers.
        serials: The indexes of the columns that count the rows.
        ours: The indexes of the columns that `write_rejects` has added.
        extra: The indexes of the columns that `write_rejects` has added for cells that were too many.
        has_letters: Whether the columns have letters, as those of spreadsheets have.
    """

    names: list[str]
    number: int
    header_row: int | None = None
    titles: Sequence[int] = ()
    unnamed: frozenset[int] = frozenset()
    serials: frozenset[int] = frozenset()
    ours: frozenset[int] = frozenset()
    extra: tuple[int, ...] = ()
    has_letters: bool = True

    def where(self, index: int) -> str:
        """Return the letters of a column, and its header."""
        letters, name = headers.letters(index), self.names[index]
        if not self.has_letters:
            return repr(shown(name))
        return letters if name == letters else f"{letters} ({shown(name)})"


def shown(name: str) -> str:
    """Return a header for an error: it may be any text."""
    return redact(shorten(name, 60))


class ColumnFinder:
    """Decides about the columns of a table, from its first rows.

    Args:
        number: The header or the letters of the column with the phone numbers; None to find it.
        has_header: Whether the table has headers; None to find out.
        is_number: Returns whether a cell is a phone number that can be reached.
    """

    def __init__(self, number: str | None, has_header: bool | None, is_number: Callable[[object], bool]) -> None:
        self._number = number
        self._has_header = has_header
        self._is_number = is_number

    def of_rows(self, rows: Sequence[Row]) -> Columns:
        """Return the columns of a table whose first rows are these; none of them is empty.

        Raises:
            UsageError: No column, or more than one, may be the column with the phone numbers.
        """
        width = max((len(cells) for _, cells in rows), default=0)
        place = None if self._has_header is False else self._header(rows, width)
        if place is None:
            names = [headers.letters(index) for index in range(width)]
            number = self._column(names, rows, is_named=False)
            titles = self._titles(rows, number) if width > 1 and self._has_header is None else 0
            return Columns(names, number, titles=[row for row, _ in rows[:titles]])
        row, cells = rows[place]
        named = [headers.clean(str(cell)) if not is_blank(cell) else "" for cell in cells]
        columns = self.of_names(named, rows[place + 1 :])
        return attrs.evolve(columns, header_row=row, titles=[row for row, _ in rows[:place]])

    def of_names(self, named: Sequence[str], rows: Sequence[Row]) -> Columns:
        """Return the columns with these headers, above these rows."""
        names = [name or headers.letters(index) for index, name in enumerate(named)]
        _refuse_duplicates(named)
        return Columns(
            names,
            self._column(names, rows, is_named=True),
            unnamed=frozenset(index for index, name in enumerate(named) if not name),
            serials=frozenset(index for index, name in enumerate(named) if name and headers.is_serial(name)),
            ours=frozenset(index for index, name in enumerate(named) if name in (headers.REASON, headers.ROW)),
        )

    def _header(self, rows: Sequence[Row], width: int) -> int | None:
        """Return the place of the row with the headers."""
        if (
            place := next((place for place, (_, cells) in enumerate(rows) if headers.REASON in cells), None)
        ) is not None:
            return place
        first = next((place for place, (_, cells) in enumerate(rows) if any(map(self._is_number, cells))), None)
        above = rows[: _SEARCHED if first is None else first]
        for place, (_, cells) in enumerate(above):
            if (_count(cells) > 1 or width == 1) and self._names_number(cells):
                return place
        if self._has_header:
            full = (place for place, (_, cells) in enumerate(above) if _count(cells) > 1 or width == 1)
            return next(full, 0 if rows else None)
        if not above or first is None:
            return None
        # The row above the first number, if it says something about each column and has no number itself.
        _, cells = above[-1]
        numbers = [index for index, cell in enumerate(rows[first][1]) if self._is_number(cell)]
        is_header = any(index < len(cells) and _is_word(cells[index]) for index in numbers)
        return first - 1 if is_header and not any(map(_is_figure, cells)) else None

    def _names_number(self, cells: Sequence[object]) -> bool:
        texts = [str(cell) for cell in cells if not is_blank(cell)]
        if any(map(_is_figure, texts)):
            return False
        wanted = self._number and headers.plain(self._number)
        return any(headers.rank(text) is not None or (wanted and headers.plain(text) == wanted) for text in texts)

    def _titles(self, rows: Sequence[Row], number: int) -> int:
        """Return how many rows above those of a table without headers are titles."""
        place = 0
        while place < len(rows) and _count(rows[place][1]) == 1 and is_blank(_cell(rows[place], number)):
            place += 1
        return place if place < len(rows) else 0

    def _column(self, names: Sequence[str], rows: Sequence[Row], *, is_named: bool) -> int:
        if self._number is not None:
            return _given(self._number, names)
        shares = [self._share(index, rows) for index in range(len(names))]
        if is_named:
            ranks = {index: rank for index, name in enumerate(names) if (rank := headers.rank(name)) is not None}
            likely = {index: rank for index, rank in ranks.items() if shares[index] >= 0.5} or ranks
            if likely:
                best = min(likely.values())
                found = [index for index, rank in likely.items() if rank == best]
                if len(found) > 1:  # One of them may be empty.
                    found = [index for index in found if shares[index] > 0] or found
                if len(found) == 1 and shares[found[0]] >= 0.5:
                    found += self._rivals(found[0], names, rows)
                return _only(sorted(found), names)
        found = [index for index, share in enumerate(shares) if share >= 0.5]
        if not found and len(names) == 1:
            return 0
        return _only(found, names)

    def _rivals(self, best: int, names: Sequence[str], rows: Sequence[Row]) -> list[int]:
        """Return the other columns with phone numbers whose headers do not name the same person as that of the best."""
        owners = ["" if name == headers.letters(index) else headers.owner(name) for index, name in enumerate(names)]
        rivals: list[int] = []
        for index, name in enumerate(names):
            if owners[index] != owners[best] and headers.may_be_phones(name) and not headers.is_second(name):
                # Figures of eight digits may be landlines, and many other things.
                digits = 10 if headers.rank(name) is None else 7
                rivals += [index] if self._share(index, rows, digits) >= 0.5 else []
        return rivals

    def _share(self, index: int, rows: Sequence[Row], digits: int = 7) -> float:
        """Return the share of the cells of a column that are phone numbers of at least so many digits."""
        cells = [cell for row in rows if not is_blank(cell := _cell(row, index))]
        found = (cell for cell in cells if sum(map(str.isdigit, str(cell))) >= digits)
        return sum(map(self._is_number, found)) / len(cells) if cells else 0.0


def _cell(row: Row, index: int) -> object:
    return row[1][index] if index < len(row[1]) else None


def _count(cells: Sequence[object]) -> int:
    return sum(not is_blank(cell) for cell in cells)


def _is_word(cell: object) -> bool:
    return isinstance(cell, str) and not is_blank(cell) and sum(map(str.isdigit, cell)) < 5


def _is_figure(cell: object) -> bool:
    """Return whether a cell is nothing but a number of five digits or more, which no header is, unless it is a date."""
    text = str(cell)
    digits = sum(map(str.isdigit, text))
    return digits >= 5 and re.fullmatch(r"[\d\s.,()+-]+", text) is not None and not re.fullmatch(_DAY, text)


def _refuse_duplicates(named: Sequence[str]) -> None:
    places: dict[str, list[int]] = {}
    for index, name in enumerate(named):
        if name and name not in (headers.REASON, headers.ROW):
            places.setdefault(name, []).append(index)
    for name, same in places.items():
        if len(same) > 1:
            letters = " and ".join(map(headers.letters, same))
            raise UsageError(
                f"The columns {letters} have the same header, {shown(name)!r}. Rename all but one of them."
            )


def _given(number: str, names: Sequence[str]) -> int:
    if number in names:
        return names.index(number)
    found = [index for index, name in enumerate(names) if headers.plain(name) == headers.plain(number)]
    if len(found) == 1:
        return found[0]
    index = headers.index_of(number)
    if index is not None and index < len(names):
        return index
    raise UsageError(f"`number` is {shown(number)!r}, and there is no such column. The columns are: {_listed(names)}.")


def _only(found: Sequence[int], names: Sequence[str]) -> int:
    if len(found) == 1:
        return found[0]
    if found:
        several = _listed([names[index] for index in found])
        raise UsageError(f"More than one column has phone numbers: {several}. Choose one of them with `number=`.")
    raise UsageError(
        "No column with phone numbers was found. Give the header or the letters of the column as `number=`. "
        f"The columns are: {_listed(names)}."
    )


def _listed(names: Sequence[str]) -> str:
    some = ", ".join(repr(shown(name)) for name in names[:20])
    return (some or "none") + (f" and {len(names) - 20} more" if len(names) > 20 else "")
