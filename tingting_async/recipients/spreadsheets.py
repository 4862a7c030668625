"""Reads the rows of a spreadsheet."""

import re
import zipfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tingting_async.errors import UsageError
from tingting_async.recipients.columns import shown
from tingting_async.recipients.formulas import DAMAGED, failed_formulas
from tingting_async.recipients.header_rows import Row

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

_PASSWORD = re.compile(
    rb"E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e\0"  # A stream in an encrypted .xlsx file.
    rb"|\x09\x08\x10\0.{16}(?:\x86\0\0\0)?\x2f\0",  # The first records of an encrypted .xls file.
    re.DOTALL,
)
"""What a file of OLE has if it has a password."""


def open_sheet(path: Path, name: str, wanted: str | None) -> tuple[Iterator[Row], Sequence[str]]:
    """Return the rows of a sheet, and what was decided about it.

    Args:
        path: An .xlsx, .xls or .ods file.
        name: The name of the file, for errors.
        wanted: The name of the sheet; None for the only one that is visible and not empty.

    Raises:
        UsageError: The file is not a spreadsheet, or there is no such sheet.
    """
    with path.open("rb") as file, _explained(path, name):
        from python_calamine import CalamineWorkbook  # noqa: PLC0415 - an extra

        # If the reader gets a path, its suffix decides about the format. If it gets a file, the content does.
        with CalamineWorkbook.from_filelike(file) as book:
            sheet, notes = _choose(book, name, wanted)
            index = book.sheet_names.index(sheet.name)
    return _rows(sheet, failed_formulas(path, sheet.name, index)), notes


@contextmanager
def _explained(path: Path, name: str) -> Generator[None]:
    """Convert the errors of the reader.

    Raises:
        UsageError: The reader is not installed, or cannot read the file.
    """
    try:
        from python_calamine import CalamineError  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise UsageError(
            f"{name!r} cannot be read: `python_calamine` cannot be imported ({error}). Install it: "
            "`pip install 'tingting-async[sheets]'`, or `pip install '.[sheets]'` in a clone of the repository."
        ) from None
    try:
        yield
    except UsageError:
        raise
    except BaseException as error:
        # A panic is a bug of the reader, which a damaged file has met.
        if not isinstance(error, CalamineError | OSError | ValueError) and type(error).__name__ != "PanicException":
            raise
        if _has_password(path):
            raise UsageError(f"{name!r} cannot be read: it has a password. Save it without one.") from None
        raise UsageError(
            f"{name!r} cannot be read as a spreadsheet: it is damaged, or of another kind. Open it in a spreadsheet "
            f"program, and save it as .xlsx or .csv. The reader says: {shown(str(error))}."
        ) from None


def _has_password(path: Path) -> bool:
    """Return whether a file that cannot be read seems to have a password."""
    with suppress(*DAMAGED):
        if _PASSWORD.search(path.read_bytes()):
            return True
        with zipfile.ZipFile(path) as archive:
            return b"encryption-data" in archive.read("META-INF/manifest.xml")
    return False


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
