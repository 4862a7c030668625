"""A list of recipients as a file that the service takes: its first column is `numbers`, the others are variables."""

import codecs
import csv
import io

from tingting_async.errors import UsageError
from tingting_async.http.messages import File
from tingting_async.persistence import run_in_thread
from tingting_async.resources.given_rows import ReadyContact, ReadyList, refuse_list_problems

_NUMBERS = "numbers"


async def contact_file(people: ReadyList, name: str, suppressed: frozenset[str], *, skips: bool) -> File:
    """Return the recipients without problems as a .csv file. The same list makes the same bytes, wherever it is made.

    Args:
        people: The list.
        name: The name of the argument.
        suppressed: The numbers that are left out in any case.
        skips: Whether rows with a problem are left out.

    Raises:
        UsageError: Rows have problems and are not to be left out, none is ready, or a variable is called "numbers".
    """
    if not skips:
        refuse_list_problems(people, name)
    return await run_in_thread(lambda: _write([each for each in people if each.number not in suppressed], name))


def _write(people: list[ReadyContact], name: str) -> File:
    if not people:
        raise UsageError(f"`{name}` has no row that is ready.")
    columns = list(dict.fromkeys(column for each in people for column in each.variables))
    if any(column.strip().lower() == _NUMBERS for column in columns):
        raise UsageError(f"`{name}` has the variable {_NUMBERS!r}, which is the name of the column of phone numbers.")
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([_NUMBERS, *columns])
    for each in people:
        writer.writerow([each.number, *(each.variables.get(column) for column in columns)])
    try:
        return File("contacts.csv", text.getvalue().encode())
    except UnicodeEncodeError:
        raise UsageError(f"`{name}` contains half a character (a lone surrogate), which cannot be sent.") from None


def require_commas(content: bytes, name: str) -> None:
    """Refuse a CSV file whose first line has other separators than commas, as some spreadsheet programs write it.

    Raises:
        UsageError: The columns are separated by semicolons or tabs: the service would see one column.
    """
    line = content[:10_000].removeprefix(codecs.BOM_UTF8).lstrip().partition(b"\n")[0]
    for separator, text in ((b";", "semicolons"), (b"\t", "tabs")):
        if separator in line and b"," not in line:
            raise UsageError(f"`{name}` has {text} between its columns: save it as CSV with commas, or as .xlsx.")
