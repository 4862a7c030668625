"""Phone numbers as people and spreadsheets write them."""

import csv
from pathlib import Path

import pytest

from tingting_async import InvalidNumberError, NumberProblem, parse_number

TABLE = Path(__file__).with_name("numbers.csv")


def rows() -> list[tuple[str, str]]:
    """Return each spelling of the table with its answer: the national digits, or the name of the problem."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return [(row["given"], row["answer"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize(("given", "answer"), rows())
def test_table(given: str, answer: str) -> None:
    """Each spelling has the answer of the table: the national digits, or a problem."""
    try:
        found = parse_number(given).national
    except InvalidNumberError as error:
        found = error.problem.name
    assert answer == found


def test_problem() -> None:
    """The error says what is wrong with the value, and shows the end of what was typed."""
    with pytest.raises(InvalidNumberError, match=r"`value` \(…56\.0\) has 9 digits") as caught:
        parse_number("984123456.0")
    assert caught.value.problem is NumberProblem.TOO_SHORT
