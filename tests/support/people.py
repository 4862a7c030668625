"""Generates the rows of a spreadsheet in which some have a problem of each kind."""

from collections.abc import Callable
from itertools import islice
from typing import Any

from support.sheets import Failed, Formula

HEADER = ["S.N.", "नाम", "Mobile no.", "Due", "Class"]
SPELLINGS: tuple[Callable[[str], Any], ...] = (
    str,
    int,
    float,
    lambda number: f"+977 {number[:3]}-{number[3:]}",
    lambda number: f"{number}.0",
    lambda number: f"0{number}",
    lambda number: number.translate(str.maketrans("0123456789", "०१२३४५६७८९")),
)
PROBLEMS: dict[str, Callable[[str], Any]] = {
    "blank": lambda _: "",
    "not a number": lambda _: "will call",
    "too short": lambda number: number[:9],
    "too long": lambda number: f"{number}1",
    "foreign": lambda number: f"+91 {number}",
    "landline": lambda number: f"01-4{number[-6:]}",
    "date": lambda _: "2081-05-12",
    "amount": lambda _: "1,45,000.50",
    "ambiguous": lambda number: f"{number} / 9801{number[4:]}",
    "lost digits": lambda _: "9.84E+09",
    "padded": lambda _: "9840000000",
}
"""What a cell with a phone number may have, by the kind of its problem."""
OTHERS = ("duplicate", "conflict", "error", "formula")
STEP = 33
"""Each kind of problem is in one row of so many: 3 %."""


def people(count: int) -> tuple[list[list[Any]], dict[int, str], dict[str, int]]:
    """Return rows, the kinds of problems by the numbers of their rows, and the rows by the numbers to be reached.

    Args:
        count: The number of rows, without the header.
    """
    kinds = (*PROBLEMS, *OTHERS)
    rows: list[list[Any]] = [HEADER]
    wrong: dict[int, str] = {}
    right: dict[str, int] = {}
    for place in range(count):
        row, number = place + 2, str(9_841_000_000 + place * 7 + 1)
        name, due, kind_of_row = f"सीता {place}", f"{place % 90},{place % 900 + 100}.00", place % STEP
        kind = kinds[kind_of_row] if kind_of_row < len(kinds) else None
        cell: Any = PROBLEMS[kind](number) if kind in PROBLEMS else SPELLINGS[place % len(SPELLINGS)](number)
        line = [place + 1, name, cell, due, place % 10]
        if kind in ("duplicate", "conflict") and len(right) > 1:
            # The number of an earlier row that is right, in another spelling.
            number, first = [*islice(reversed(right.items()), OTHERS.index(kind) + 1)][-1]
            line = [place + 1, *rows[first - 1][1:]]
            line[2] = f"977{number}"
            if kind == "conflict":
                line[3] = "0.00"
                wrong[first] = kind
                del right[number]
        elif kind in ("duplicate", "conflict"):
            kind = None
        elif kind == "error":
            line[3] = Failed("#N/A")
        elif kind == "formula":
            line[3] = Formula("=1+1")
        if kind is None:
            right[number] = row
        else:
            wrong[row] = kind
        rows.append(line)
    return rows, wrong, right
