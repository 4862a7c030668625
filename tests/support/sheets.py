"""Writes spreadsheets of all formats, as the programs that people use write them."""

import csv
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

Rows = Iterable[Sequence[Any]]
FORMATS = ("csv", "xlsx", "xls", "ods")
ERRORS = {"#NULL!": 0x00, "#DIV/0!": 0x07, "#VALUE!": 0x0F, "#REF!": 0x17, "#NAME?": 0x1D, "#NUM!": 0x24, "#N/A": 0x2A}


class Formula(str):
    """A formula, such as `=1+1`, whose result the file does not have."""

    __slots__ = ()


class Failed(str):
    """The error of a formula, such as `#N/A`."""

    __slots__ = ()


def write_sheets(path: Path, sheets: Mapping[str, Rows], hidden: Sequence[str] = ()) -> Path:
    """Write a spreadsheet with these sheets; of a .csv file, there is only the first."""
    writer = {".csv": _csv, ".xlsx": _xlsx, ".xls": _xls, ".ods": _ods}[path.suffix]
    writer(path, sheets, hidden)
    return path


def write_sheet(path: Path, rows: Rows) -> Path:
    """Write a spreadsheet with one sheet."""
    return write_sheets(path, {"Sheet1": rows})


def _csv(path: Path, sheets: Mapping[str, Rows], _: Sequence[str]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(next(iter(sheets.values())))


def _xlsx(path: Path, sheets: Mapping[str, Rows], hidden: Sequence[str]) -> None:
    import xlsxwriter

    with xlsxwriter.Workbook(path) as book:
        day, moment = (book.add_format({"num_format": each}) for each in ("yyyy-mm-dd", "yyyy-mm-dd hh:mm"))
        written = {name: book.add_worksheet(name) for name in sheets}
        next(sheet for name, sheet in written.items() if name not in hidden).activate()
        for name, rows in sheets.items():
            sheet = written[name]
            if name in hidden:
                sheet.hide()
            for row, cells in enumerate(rows):
                for column, cell in enumerate(cells):
                    if isinstance(cell, Formula):
                        sheet.write_formula(row, column, cell, None, "")
                    elif isinstance(cell, Failed):
                        sheet.write_formula(row, column, "=NA()", None, cell)
                    elif isinstance(cell, datetime):
                        sheet.write_datetime(row, column, cell, moment)
                    elif isinstance(cell, date):
                        sheet.write_datetime(row, column, cell, day)
                    elif isinstance(cell, str):
                        sheet.write_string(row, column, cell)
                    else:
                        sheet.write(row, column, cell)


def _xls(path: Path, sheets: Mapping[str, Rows], hidden: Sequence[str]) -> None:
    import xlwt

    book = xlwt.Workbook(encoding="utf-8")
    styles = {each: xlwt.easyxf(num_format_str=each) for each in ("YYYY-MM-DD", "YYYY-MM-DD HH:MM")}
    for name, rows in sheets.items():
        sheet = book.add_sheet(name)
        sheet.visibility = int(name in hidden)
        for row, cells in enumerate(rows):
            for column, cell in enumerate(cells):
                if isinstance(cell, Formula):
                    sheet.write(row, column, xlwt.Formula(cell[1:]))
                elif isinstance(cell, Failed):
                    sheet.row(row).set_cell_error(column, ERRORS[cell])
                elif isinstance(cell, datetime):
                    sheet.write(row, column, cell, styles["YYYY-MM-DD HH:MM"])
                elif isinstance(cell, date):
                    sheet.write(row, column, cell, styles["YYYY-MM-DD"])
                elif cell is not None:
                    sheet.write(row, column, cell)
    book.save(str(path))


_NAMESPACES = " ".join(
    f'xmlns:{short}="{name}"'
    for short, name in {
        "office": "urn:oasis:names:tc:opendocument:xmlns:office:1.0",
        "table": "urn:oasis:names:tc:opendocument:xmlns:table:1.0",
        "text": "urn:oasis:names:tc:opendocument:xmlns:text:1.0",
        "style": "urn:oasis:names:tc:opendocument:xmlns:style:1.0",
        "calcext": "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0",
    }.items()
)
_MANIFEST = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0" manifest:version="1.3">'
    '<manifest:file-entry manifest:full-path="/" manifest:media-type="application/vnd.oasis.opendocument.spreadsheet"/>'
    '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/></manifest:manifest>'
)


def _ods(path: Path, sheets: Mapping[str, Rows], hidden: Sequence[str]) -> None:
    """Write a document as LibreOffice does."""
    text = io.StringIO()
    text.write(f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {_NAMESPACES} office:version="1.3">')
    text.write('<office:automatic-styles><style:style style:name="ta1" style:family="table">')
    text.write('<style:table-properties table:display="true"/></style:style>')
    text.write('<style:style style:name="ta2" style:family="table"><style:table-properties table:display="false"/>')
    text.write("</style:style></office:automatic-styles><office:body><office:spreadsheet>")
    for name, rows in sheets.items():
        style = "ta2" if name in hidden else "ta1"
        text.write(f'<table:table table:name={quoteattr(name)} table:style-name="{style}">')
        for cells in rows:
            text.write("<table:table-row>")
            text.writelines(map(_ods_cell, cells))
            text.write("</table:table-row>")
        text.write("</table:table>")
    text.write("</office:spreadsheet></office:body></office:document-content>")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet", zipfile.ZIP_STORED)
        archive.writestr("META-INF/manifest.xml", _MANIFEST)
        archive.writestr("content.xml", text.getvalue())


def _ods_cell(cell: Any) -> str:
    if cell is None or cell == "":
        return "<table:table-cell/>"
    if isinstance(cell, Formula):
        return f"<table:table-cell table:formula={quoteattr(f'of:{cell}')}/>"
    if isinstance(cell, Failed):
        return (
            '<table:table-cell table:formula="of:=NA()" office:value-type="string" office:string-value=""'
            f' calcext:value-type="error"><text:p>{escape(cell)}</text:p></table:table-cell>'
        )
    if isinstance(cell, bool):
        value = f'office:value-type="boolean" office:boolean-value="{str(cell).lower()}"'
    elif isinstance(cell, int | float):
        value = f'office:value-type="float" office:value="{cell}" calcext:value-type="float"'
    elif isinstance(cell, date):
        value = f'office:value-type="date" office:date-value="{cell.isoformat()}" calcext:value-type="date"'
    else:
        value = 'office:value-type="string" calcext:value-type="string"'
    lines = "".join(f"<text:p>{escape(line)}</text:p>" for line in str(cell).split("\n"))
    return f"<table:table-cell {value}>{lines}</table:table-cell>"
