"""Rows that are kept as ranges."""

import copy
import pickle
import random

import pytest

from tingting_async import PartialFailureError, Rows


def test_rows_are_a_sequence() -> None:
    """Rows iterate, count, index and contain as the list of the same integers does."""
    rows, listed = Rows(range(7, 9), range(2, 5), range(9, 9)), [2, 3, 4, 7, 8]
    assert listed == list(rows) == [rows[place] for place in range(5)]
    assert listed[::-1] == list(reversed(rows)) == [rows[-1 - place] for place in range(5)]
    assert tuple(listed[1:4]) == rows[1:4]
    assert (5, 3, 1) == (len(rows), rows.index(7), rows.count(4))
    assert [row in listed for row in range(12)] == [row in rows for row in range(12)]
    assert "Rows(range(2, 5), range(7, 9))" == repr(rows)
    for outside in (5, -6):
        with pytest.raises(IndexError):
            rows[outside]


def test_rows_equal_a_range() -> None:
    """Rows without a gap equal the range of the same rows, in both directions, and hash as it does."""
    assert range(3, 6) == Rows(range(3, 4), range(4, 6))
    assert Rows(range(3, 6)) == range(3, 6)
    assert range(0) == Rows() == Rows(range(5, 5))
    assert Rows(range(1), range(2, 3)) not in (range(3), Rows(range(3)), [0, 2])
    assert {range(0), range(3, 6)} == {Rows(), Rows(range(3, 6))}


def test_a_range_with_steps() -> None:
    """A range with steps is refused."""
    with pytest.raises(ValueError, match="must be 1"):
        Rows(range(0, 10, 2))


def test_rows_take_little_memory() -> None:
    """Many adjacent ranges become one."""
    rows = Rows()
    for first in range(0, 1_000_000, 1000):
        rows = Rows(*rows.ranges, range(first, first + 1000))
    assert (range(1_000_000),) == rows.ranges


def test_rows_as_sets() -> None:
    """Joining rows and taking rows away gives what sets of integers give."""
    chance = random.Random(3)

    def some() -> tuple[Rows, set[int]]:
        starts = [chance.randrange(30) for _ in range(chance.randrange(5))]
        ranges = [range(start, start + chance.randrange(6)) for start in starts]
        return Rows(*ranges), {row for each in ranges for row in each}

    for _ in range(3000):
        (one, of_one), (other, of_other) = some(), some()
        assert sorted(of_one | of_other) == list(Rows(*one.ranges, *other.ranges))
        assert sorted(of_one - of_other) == list(one.without(other))
        assert all(each for each in one.without(other).ranges)


def test_rows_of_an_error_are_data() -> None:
    """The rows of an error survive copying and pickling; a range that is given becomes rows."""
    error = PartialFailureError("half", unknown=range(2), not_done=Rows(range(2), range(5, 6)))
    for same in (copy.deepcopy(error), pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (Rows(range(2)), Rows(range(2), range(5, 6))) == (same.unknown, same.not_done)
        assert () == same.failures


def test_taking_many_rows_away() -> None:
    """Taking every other row away from twenty thousand rows leaves the others."""
    odd = Rows(*(range(row, row + 1) for row in range(1, 20_000, 2)))
    even = Rows(range(20_000)).without(odd)
    assert list(range(0, 20_000, 2)) == list(even)
    assert Rows() == even.without(even)
    assert even == even.without(odd)
    assert all((row % 2 == 0) == (row in even) for row in range(20_000))
