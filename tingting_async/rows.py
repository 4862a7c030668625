"""Rows of an input, kept as ranges, so that a million of them takes no more memory than one."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import overload


class Rows(Sequence[int]):
    """The indexes of rows, from 0, in ascending order: a sequence of integers. It equals a `range` of the same rows.

    Args:
        *ranges: Rows that belong to it, in any order. They may overlap.

    Raises:
        ValueError: A range counts backwards or in steps.
    """

    __slots__ = ("ranges",)

    ranges: tuple[range, ...]
    """The rows as ranges: in ascending order, none of them empty, with a gap between each two."""

    def __init__(self, *ranges: range) -> None:
        merged: list[range] = []
        for each in sorted(ranges, key=lambda each: each.start):
            if each.step != 1:
                raise ValueError(f"the step of {each} must be 1")
            if merged and each.start <= merged[-1].stop:
                merged[-1] = range(merged[-1].start, max(merged[-1].stop, each.stop))
            elif each:
                merged.append(each)
        self.ranges = tuple(merged)

    def without(self, other: "Rows") -> "Rows":
        """Return the rows that another sequence does not have."""
        left: list[range] = []
        place = 0
        for each in self.ranges:
            start = each.start
            while place < len(other.ranges) and other.ranges[place].start < each.stop:
                taken = other.ranges[place]
                left.append(range(start, max(start, taken.start)))
                start = max(start, taken.stop)
                if taken.stop > each.stop:
                    break  # It reaches into the next range of these rows.
                place += 1
            left.append(range(min(start, each.stop), each.stop))
        return Rows(*left)

    def __len__(self) -> int:
        return sum(len(each) for each in self.ranges)

    def __iter__(self) -> Iterator[int]:
        return chain.from_iterable(self.ranges)

    def __reversed__(self) -> Iterator[int]:
        return chain.from_iterable(reversed(each) for each in reversed(self.ranges))

    def __contains__(self, row: object) -> bool:
        if not isinstance(row, int):
            return False
        place = bisect_right(self.ranges, row, key=lambda each: each.start)
        return place > 0 and row in self.ranges[place - 1]

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[int, ...]: ...
    def __getitem__(self, index: int | slice) -> int | tuple[int, ...]:
        if isinstance(index, slice):
            return tuple(self[place] for place in range(len(self))[index])
        place = range(len(self))[index]
        for each in self.ranges:
            if place < len(each):
                return each[place]
            place -= len(each)
        raise AssertionError("the place is below the length")

    def __eq__(self, other: object) -> bool:
        if isinstance(other, range):
            return len(self.ranges) <= 1 and (self.ranges or (range(0),))[0] == other
        return self.ranges == other.ranges if isinstance(other, Rows) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.ranges if len(self.ranges) > 1 else (self.ranges or (range(0),))[0])

    def __repr__(self) -> str:
        return f"Rows({', '.join(map(repr, self.ranges))})"
