"""The outcomes of rows after a response to added contacts: the service counts the rows it skips, without names."""

from typing import Any

import pytest
from support.v1 import always, serving

from tingting_async.v1 import RowStatus

pytestmark = pytest.mark.anyio

PHONES = [str(9_800_000_000 + row) for row in range(4)]
A, P, C, R, U = RowStatus.ADDED, RowStatus.PRESENT, RowStatus.IN_CAMPAIGN, RowStatus.REFUSED, RowStatus.UNKNOWN


def new(*rows: int, show: Any = str) -> list[Any]:
    """Return new contacts as the response shows them."""
    return [{"id": row, "number": show(PHONES[row])} for row in rows]


def by_row(*rows: int) -> list[Any]:
    """Return errors that name their rows."""
    return [{"row": row, "error": f"no {row}"} for row in rows]


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize(
    ("created", "skipped", "contacts", "errors", "expected"),
    [
        (4, 0, [], None, [A, A, A, A]),
        (0, 4, [], None, [P, P, P, P]),
        (3, 0, [], by_row(1), [A, R, A, A]),
        (0, 3, [], by_row(1), [P, R, P, P]),
        (0, 0, [], by_row(0, 1, 2, 3), [R, R, R, R]),
        (2, 2, new(3, 1), None, [P, A, P, A]),
        (2, 2, new(1, 3, show=int), None, [P, A, P, A]),
        (2, 2, new(1, 3, show=lambda number: f"+977-{number}"), None, [P, A, P, A]),
        (2, 1, new(1, 3), by_row(0), [R, A, P, A]),
        (2, 0, new(1, 3), ["Contact 1: no", "Contact 3: no"], [R, A, R, A]),
        (0, 0, [], ["no"] * 4, [R, R, R, R]),
        (2, 1, new(1, 3), ["Contact 1: no"], [U, A, U, A]),  # One was skipped and one refused: it does not say which.
        (2, 2, [], None, [C, C, C, C]),  # The new contacts are not shown.
        (2, 2, new(1, 3, show=lambda number: f"{number[:4]}xxx{number[-3:]}"), None, [C, C, C, C]),
        (2, 1, [], by_row(0), [R, C, C, C]),
        (2, 1, [], ["Contact 1: no"], [U, U, U, U]),
        (1, 1, [], None, [U, U, U, U]),  # The counts are less than was sent.
        (3, 0, [], by_row(9), [U, U, U, U]),  # An error for a row that was not sent.
    ],
)
async def test_what_a_response_says(
    created: int, skipped: int, contacts: Any, errors: Any, expected: list[RowStatus], keep: bool
) -> None:
    """Each row has the outcome that the response proves, and no other, whether the contacts are kept or not."""
    body = {"created": created, "skipped": skipped, "contacts": contacts, "errors": errors}
    async with serving(always(body, 201)) as tingting:
        result = await tingting.contacts.add_many(1, PHONES, keep_contacts=keep)
    assert expected == [outcome.status for outcome in result.outcomes]
    assert [bool(outcome.reason) for outcome in result.outcomes] == [status in (R, U) for status in expected]
