"""Reads the rows of a spreadsheet."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tingting_async.errors import UsageError
from tingting_async.recipients.columns import shown
from tingting_async.recipients.formulas import failed_formulas
from tingting_async.recipients.header_rows import Row

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook


def open_sheet(path: Path, name: str, wanted: str | None) -> tuple[Iterator[Row], Sequence[str]]:
    """Return the rows of a sheet, and what was decided about it.

    Args:
        path: An .xlsx, .xls or .ods file.
        name: The name of the file, for errors.
        wanted: The name of the sheet; None for the only one that is visible and not empty.

    Raises:
        UsageError: The file is not a spreadsheet, or there is no such sheet.
    """
    with _open(path, name) as book:
        sheet, notes = _choose(book, name, wanted)
        index = book.sheet_names.index(sheet.name)
    return _rows(sheet, failed_formulas(path, sheet.name, index)), notes


def _open(path: Path, name: str) -> "CalamineWorkbook":
    try:
        from python_calamine import CalamineError, CalamineWorkbook, PasswordError  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise UsageError(
            f"{name!r} cannot be read: `python_calamine` cannot be imported ({error}). Install it: "
            "`pip install 'tingting-async[sheets]'`, or `pip install '.[sheets]'` in a clone of the repository."
        ) from None
    try:
        return cast(
            "CalamineWorkbook", cast("Any", CalamineWorkbook).from_path(path)
        )  # Its annotations are incomplete.
    except PasswordError:
        raise UsageError(f"{name!r} cannot be read: it has a password. Save it without one.") from None
    except (CalamineError, OSError, ValueError) as error:
        raise UsageError(f"{name!r} cannot be read as a spreadsheet: {shown(str(error))}. Save it again.") from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # A bug of the reader, which a damaged file has met.
            raise
        raise UsageError(f"{name!r} cannot be read as a spreadsheet: it is damaged. Save it again.") from None


def _choose(book: "CalamineWorkbook", name: str, wanted: str | None) -> tuple["CalamineSheet", Sequence[str]]:
    from python_calamine import SheetTypeEnum, SheetVisibleEnum  # noqa: PLC0415 - an extra

    tables = [each for each in book.sheets_metadata if each.typ is SheetTypeEnum.WorkSheet]
    names = [each.name for each in tables]
    if wanted is not None:
        same = [each for each in names if each == wanted] or [each for each in names if _plain(each) == _plain(wanted)]
        if len(same) != 1:
            raise UsageError(f"`sheet` is {shown(wanted)!r}. {name!r} has no such sheet, but {_listed(names)}.")
        return book.get_sheet_by_name(same[0]), [f"sheet: {shown(same[0])!r}"]
    hidden = [each.name for each in tables if each.visible is not SheetVisibleEnum.Visible]
    found: CalamineSheet | None = None
    for each in names:
        sheet = book.get_sheet_by_name(each) if each not in hidden else None
        if sheet is None or sheet.start is None:
            continue
        if found is not None:
            shown_names = _listed([each for each in names if each not in hidden])
            raise UsageError(f"{name!r} has more than one sheet: choose one of {shown_names} with `sheet=`.")
        found = sheet
    if found is None:
        raise UsageError(f"{name!r} has no visible sheet with any cells. Its sheets are: {_listed(names)}.")
    notes = [f"sheet: {shown(found.name)!r}"]
    return found, [*notes, f"hidden sheets, not read: {_listed(hidden)}"] if hidden else notes


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(shown(name)) for name in names) or "none"


def _rows(sheet: "CalamineSheet", failed: Mapping[tuple[int, int], str]) -> Iterator[Row]:
    before = [""] * (sheet.start[1] if sheet.start else 0)
    rows = {row for row, _ in failed}
    for row, cells in enumerate(sheet.iter_rows()):
        given = [*before, *cells] if before else cells
        if row in rows:
            # The reader leaves these cells empty.
            yield row + 1, [failed.get((row, column), cell) for column, cell in enumerate(given)]
        else:
            yield row + 1, given
