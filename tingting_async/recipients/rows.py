"""The rows of a list of recipients, in little memory."""

import json
from array import array
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import cast

from tingting_async.late_imports import loading
from tingting_async.recipients.values import Cell

_encode_slowly = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class PackedRows:
    """Rows of cells: about as many bytes as their text has, and 24 for each row.

    A row has its number in the file, its cells, and its phone number, if that is valid.
    """

    def __init__(self) -> None:
        with loading("msgspec", is_before_send=False):
            from msgspec.json import Encoder  # noqa: PLC0415 - imported with the first response, or the first list

        self._encoder = Encoder()
        self.rows: array[int] = array("L")
        """The number of each row, as the file shows it."""
        self.numbers: array[int] = array("Q")
        """The phone number of each row; 0 if it is not valid."""
        self._ends: array[int] = array("Q")
        self._cells: bytearray = bytearray()

    def __len__(self) -> int:
        return len(self.rows)

    def append(self, row: int, number: str | None, cells: Sequence[Cell]) -> None:
        """Add a row."""
        packed = self._encode(cells)
        self.rows.append(row)
        self.numbers.append(int(number) if number else 0)
        self._cells += packed
        self._cells += b"\n"
        self._ends.append(len(self._cells))

    def cells(self, place: int) -> list[Cell]:
        """Return the cells of the row at a place."""
        start = self._ends[place - 1] if place else 0
        packed = bytes(self._cells[start : self._ends[place]])
        return cast("list[Cell]", json.loads(packed.decode("utf-8", "surrogatepass")))

    def digest(self, names: Sequence[str], ready: Iterable[int]) -> str:
        """Return a hash of the names of columns, the cells of all rows, and the numbers of those at some places."""
        whole = sha256(self._cells)
        whole.update(self._encode(names))
        whole.update(self._encode([self.numbers[place] for place in ready]))
        return whole.hexdigest()

    def _encode(self, cells: Sequence[Cell]) -> bytes:
        try:
            return self._encoder.encode(cells)
        except (UnicodeError, OverflowError):  # Half of a surrogate pair, or a huge integer.
            return _encode_slowly(cells).encode("utf-8", "surrogatepass")
