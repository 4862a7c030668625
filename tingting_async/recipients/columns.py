"""Which row of a table has the headers, and which column has the phone numbers."""

from collections.abc import Callable, Mapping, Sequence

import attrs

from tingting_async.errors import UsageError
from tingting_async.recipients import headers
from tingting_async.recipients.header_rows import HeaderRowFinder, Row, cell_of, has_figure, is_title, width_of
from tingting_async.recipients.values import is_blank
from tingting_async.redaction import redact, shorten

SAMPLE = 100
"""The number of rows that are read before the columns are decided."""


@attrs.frozen
class Columns:
    """The columns of a table.

    Attributes:
        names: The name of each column: its header, or its letters if it has none.
        number: The index of the column with the phone numbers.
        header_row: The number of the row with the headers; None if there is none.
        is_guess: Whether the row is taken for the header row only because of its place.
        titles: The numbers of the rows above the headers that are titles, and not rows of the list.
        doubtful: The numbers of the skipped rows that may be rows of the list: guessed headers, and titles with a
            figure such as a phone number.
        above: The numbers of the other rows above the headers, which may be rows of the list.
        unnamed: The indexes of the columns without a header, in a table with headers.
        serials: The indexes of the columns that count the rows.
        ours: The indexes of the columns that `write_rejects` has added.
        original: The index of the one in `ours` with the row numbers of the original file; None without it.
        extra: The indexes of the columns that `write_rejects` has added for cells that were too many.
        has_letters: Whether the columns have letters, as in spreadsheets.
    """

    names: list[str]
    number: int
    header_row: int | None = None
    is_guess: bool = False
    titles: Sequence[int] = ()
    doubtful: Sequence[int] = ()
    above: Sequence[int] = ()
    unnamed: frozenset[int] = frozenset()
    serials: frozenset[int] = frozenset()
    ours: frozenset[int] = frozenset()
    original: int | None = None
    extra: tuple[int, ...] = ()
    has_letters: bool = True

    def where(self, index: int) -> str:
        """Return the letters of a column, and its header."""
        letters, name = headers.letters(index), self.names[index]
        if not self.has_letters:
            return repr(shown(name))
        return letters if name == letters else f"{letters} ({shown(name)})"

    def other_numbers(self) -> str:
        """Return the other columns whose headers name phone numbers; an empty text if there are none."""
        named = (index for index, name in enumerate(self.names) if headers.rank(name) is not None)
        return ", ".join(self.where(index) for index in named if index != self.number)


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
        self._headers = HeaderRowFinder(number, has_header, is_number)

    def of_rows(self, rows: Sequence[Row]) -> Columns:
        """Return the columns of a table whose first rows are these; none of them is empty.

        Raises:
            UsageError: No column, or more than one, may be the column with the phone numbers, or it is not clear which
                row has the headers.
        """
        width = width_of(rows)
        place = self._headers.find(rows)
        if place is None:
            self._refuse_headers_only(rows, width)
            names = [headers.letters(index) for index in range(width)]
            number = self._column(names, rows, is_named=False)
            titles = self._titles(rows, number, width)
            return Columns(names, number, titles=titles, doubtful=_with_figures(rows, titles))
        header, above = rows[place], rows[:place]
        named = [headers.clean(str(cell)) if not is_blank(cell) else "" for cell in header[1]]
        columns = self.of_names(named, rows[place + 1 :])
        titles = self._headers.titles(above, columns.number, header, width)
        is_guess = self._headers.is_guess(header[1])
        return attrs.evolve(
            columns,
            header_row=header[0],
            is_guess=is_guess,
            titles=titles,
            doubtful=[*_with_figures(above, titles), *[header[0]] * is_guess],
            above=[row for row, _ in above if row not in titles],
        )

    def of_names(self, named: Sequence[str], rows: Sequence[Row]) -> Columns:
        """Return the columns with these headers, above these rows."""
        names = [name or headers.letters(index) for index, name in enumerate(named)]
        _refuse_duplicates(named)
        return Columns(
            names,
            self._column(names, rows, is_named=True),
            unnamed=frozenset(index for index, name in enumerate(named) if not name),
            serials=frozenset(index for index, name in enumerate(named) if name and headers.is_serial(name)),
            ours=frozenset(index for index, name in enumerate(named) if headers.is_ours(name)),
            original=next((index for index, name in enumerate(named) if headers.is_row_header(name)), None),
        )

    def _refuse_headers_only(self, rows: Sequence[Row], width: int) -> None:
        if len(rows) == 1 and width > 1 and self._number is None and not any(map(self._is_number, rows[0][1])):
            raise UsageError(
                f"Row {rows[0][0]} is the only row, and none of its cells is a phone number. If it has the headers, "
                "add rows below it, or give the header of the column with the phone numbers as `number=`."
            )

    def _titles(self, rows: Sequence[Row], number: int, width: int) -> list[int]:
        """Return the numbers of the title rows above the first row of a table without headers."""
        if self._has_header is False or width == 1:
            return []
        titles: list[int] = []
        for row, cells in rows:
            filled = [index for index, cell in enumerate(cells) if not is_blank(cell)]
            if len(filled) != 1 or filled[0] == number or not is_title(cells, number):
                return titles
            titles.append(row)
        return []

    def _column(self, names: Sequence[str], rows: Sequence[Row], *, is_named: bool) -> int:
        if self._number is not None:
            return _given(self._number, names)
        if (marked := headers.marked_number(names)) is not None:
            return names.index(marked)
        shares = [self._share(index, rows) for index in range(len(names))]
        if is_named:
            ranks = {index: rank for index, name in enumerate(names) if (rank := headers.rank(name)) is not None}
            if len(ranks) == 1 and any(map(headers.is_ours, names)):
                return next(iter(ranks))  # See `headers.row_header`.
            likely = {index: rank for index, rank in ranks.items() if shares[index] >= 0.5} or ranks
            if likely:
                best = min(likely.values())
                found = [index for index, rank in likely.items() if rank == best]
                if len(found) > 1:  # One of them may be empty.
                    found = [index for index in found if shares[index] > 0] or found
                if len(found) == 1 and shares[found[0]] >= 0.5:
                    spoilt = self._spoilt(found[0], ranks, names, rows)
                    found += spoilt or self._rivals(found[0], names, rows)
                elif len(found) == 1 and not shares[found[0]]:
                    found += self._rivals(found[0], names, rows)
                return _only(sorted(found), names)
        found = [index for index, share in enumerate(shares) if share >= 0.5]
        if not found and len(names) == 1:
            return 0
        row, cells = (None, ()) if is_named or self._has_header is False else _likely_headers(rows)
        advice = f" If row {row} has the headers, give `has_header=True`, too." if row else ""
        return _only(found, names, cells, advice)

    def _spoilt(self, best: int, ranks: Mapping[int, int], names: Sequence[str], rows: Sequence[Row]) -> list[int]:
        """Return the columns whose headers name phone numbers at least as clearly, although few cells have one."""
        spoilt: list[int] = []
        for index, rank in ranks.items():
            if index == best or rank > ranks[best] or self._share(index, rows) >= 0.5:
                continue
            cells = [str(cell) for _, row in rows if not is_blank(cell := cell_of(row, index))]
            tried = sum(sum(map(str.isdigit, cell)) >= 5 for cell in cells)
            if tried * 2 > len(cells) or (not cells and headers.owner(names[index]) != headers.owner(names[best])):
                spoilt.append(index)
        return spoilt

    def _rivals(self, best: int, names: Sequence[str], rows: Sequence[Row]) -> list[int]:
        """Return the other columns with phone numbers whose headers name another person than the best column's."""
        owners = ["" if name == headers.letters(index) else headers.owner(name) for index, name in enumerate(names)]
        rivals: list[int] = []
        for index, name in enumerate(names):
            if owners[index] != owners[best] and headers.may_be_phones(name) and not headers.is_second(name):
                # Figures of eight digits may be landlines, and many other things.
                digits = 10 if headers.rank(name) is None else 7
                rivals += [index] if self._share(index, rows, digits) >= 0.5 else []
        return rivals

    def _share(self, index: int, rows: Sequence[Row], digits: int = 7) -> float:
        """Return the share of a column's cells that are phone numbers of at least this many digits."""
        cells = [cell for _, row in rows if not is_blank(cell := cell_of(row, index))]
        found = (cell for cell in cells if sum(map(str.isdigit, str(cell))) >= digits)
        return sum(map(self._is_number, found)) / len(cells) if cells else 0.0


def _with_figures(rows: Sequence[Row], titles: Sequence[int]) -> list[int]:
    return [row for row, cells in rows if row in titles and any(has_figure(str(cell)) for cell in cells)]


def _refuse_duplicates(named: Sequence[str]) -> None:
    places: dict[str, list[int]] = {}
    for index, name in enumerate(named):
        if name and not headers.is_ours(name):
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
    raise UsageError(f"`number` is {shown(number)!r}, and there is no such column. The columns are: {listed(names)}.")


def _likely_headers(rows: Sequence[Row]) -> tuple[int | None, Sequence[object]]:
    """Return the first row with several cells, if they look like headers: texts without digits."""
    for row, cells in rows:
        filled = [cell for cell in cells if not is_blank(cell)]
        if len(filled) > 1:
            are_texts = all(isinstance(cell, str) and not any(map(str.isdigit, cell)) for cell in filled)
            return (row, cells) if are_texts else (None, ())
    return None, ()


def _only(found: Sequence[int], names: Sequence[str], cells: Sequence[object] = (), advice: str = "") -> int:
    if len(found) == 1:
        return found[0]
    if found:
        several = listed([names[index] for index in found], [cell_of(cells, index) for index in found])
        text = f"More than one column has phone numbers: {several}. Choose one of them with `number=`.{advice}"
        raise UsageError(text)
    raise UsageError(
        "No column with phone numbers was found: no header names one, and in no column most cells are phone numbers. "
        f"Give the header or the letters of the column as `number=`.{advice} The columns are: {listed(names, cells)}."
    )


def listed(names: Sequence[str], cells: Sequence[object] = ()) -> str:
    """Return names of columns for an error, each in quotation marks, and with a cell that may be its header."""
    shown_cells = (cell_of(cells, index) for index in range(20))
    tops = ("" if is_blank(cell) else f' ("{shown(str(cell))}")' for cell in shown_cells)
    some = ", ".join(f"{shown(name)!r}{top}" for name, top in zip(names[:20], tops, strict=False))
    return (some or "none") + (f" and {len(names) - 20} more" if len(names) > 20 else "")
