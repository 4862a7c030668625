"""Lists of people with the problems that a spreadsheet has, before they are read from files."""

from collections.abc import Iterator, Mapping
from typing import Any

import attrs


@attrs.frozen
class Person:
    """A recipient, as a `RecipientList` has it."""

    number: str
    variables: Mapping[str, Any]
    row: int


@attrs.frozen
class Trouble:
    """A problem of a row."""

    row: int
    message: str
    column: str = "Mobile"
    kind: str = "number"


@attrs.frozen
class People:
    """A list of recipients, with the rows that have a problem."""

    ready: list[Person]
    problems: tuple[Trouble, ...] = ()

    def __iter__(self) -> Iterator[Person]:
        return iter(self.ready)

    def __len__(self) -> int:
        return len(self.ready)


def people(numbers: list[str], *bad: int, first: int = 2, **variables: Any) -> People:
    """Return the people of a sheet whose rows begin at `first`; `bad` are the rows with a problem, in between."""
    rows = [row for row in range(first, first + len(numbers) + len(bad)) if row not in bad]
    ready = [Person(number, variables, row) for number, row in zip(numbers, rows, strict=True)]
    return People(ready, tuple(Trouble(row, f"Row {row}, Mobile: (…33) has 5 digits.") for row in bad))
