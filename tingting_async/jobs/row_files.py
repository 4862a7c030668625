"""Writes the rows of a job's input into files, with what became of them or what is wrong with them."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from tingting_async.late_imports import loading
from tingting_async.persistence import run_in_thread
from tingting_async.recipients.recipient_list import RecipientList


async def write_rows(path: str | os.PathLike[str], recipients: RecipientList, rows: Sequence[Any], kind: Any) -> int:
    """Write one row for each row of the input, with its own columns and the fields of a model. Return their number.

    Args:
        path: The file.
        recipients: The input.
        rows: The models, in the order of the input.
        kind: Their class.

    Raises:
        UsageError: The file cannot be written, or has another suffix.
    """
    with loading("write_table", is_before_send=False):
        from tingting_async.recipients.tables import write_table  # noqa: PLC0415 - few programs need it

    fields: list[str] = [field.name for field in attrs.fields(kind)]
    own = [f"{name} (input)" if name in fields else name for name in recipients.columns]

    def records() -> Iterator[dict[str, Any]]:
        for given, row in zip(recipients.input_rows(), rows, strict=True):
            yield {**dict(zip(own, given.cells, strict=True)), **attrs.asdict(row, recurse=False)}

    return await write_table(records(), path, columns=["row", *own, *(name for name in fields if name != "row")])


async def write_rejects(path: str | os.PathLike[str], recipients: RecipientList, reasons: Sequence[str | None]) -> int:
    """Write the rows of the input that are left out, to be corrected and read again. Return their number.

    Args:
        path: The file.
        recipients: The input.
        reasons: Why each row of the input is left out; None for the others.

    Raises:
        UsageError: The file cannot be written.
    """
    rows = [*zip(recipients.input_rows(), reasons, strict=True)]
    left_out = [(row, why) for row, why in rows if why is not None]
    reached = {row.number for row, why in rows if why is None}
    return await run_in_thread(lambda: recipients.write_rows(path, left_out, reached))
