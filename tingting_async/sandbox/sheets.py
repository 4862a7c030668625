"""Files with one row per phone number: the first column holds the number, the others its variables."""

import csv
import io
from typing import Any

from tingting_async.sandbox.http import ValidationError


def read_sheet(content: Any, field: str, *, allow_csv: bool = True) -> list[dict[str, Any]]:
    """Return the rows of an .xlsx or .csv file as dictionaries, keyed by the names in its first row."""
    if not isinstance(content, bytes):
        raise ValidationError(**{field: "The submitted data was not a file."})
    is_sheet = content.startswith(b"PK") or not allow_csv
    rows = _read_xlsx(content, field) if is_sheet else _read_csv(content, field)
    head = [str(name) for name in rows[0]] if rows else []
    return [dict(zip(head, row, strict=False)) for row in rows[1:] if row and row[0] not in (None, "")]


def _read_xlsx(content: bytes, field: str) -> list[tuple[Any, ...]]:
    try:
        import openpyxl  # noqa: PLC0415 - an optional dependency
    except ImportError as error:
        raise ValidationError(
            **{
                field: f"To read .xlsx files, the sandbox needs `openpyxl`, which cannot be imported ({error}). "
                "Install it: `pip install 'tingting-async[sandbox]'`, or `pip install '.[sandbox]'` in a clone of the "
                "repository."
            }
        ) from None
    try:
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True)
    except Exception:  # noqa: BLE001 - openpyxl raises many types for an invalid file
        raise ValidationError(**{field: "Upload a valid file."}) from None
    return list(book.worksheets[0].iter_rows(values_only=True))


def _read_csv(content: bytes, field: str) -> list[tuple[Any, ...]]:
    try:
        return [tuple(row) for row in csv.reader(io.StringIO(content.decode("utf-8-sig")))]
    except (UnicodeDecodeError, csv.Error):
        raise ValidationError(**{field: "Upload a valid file."}) from None
