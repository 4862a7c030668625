"""JSON texts of requests."""

import random
from typing import Any

import pytest

from tingting_async.http.json import Encoded, dumps, dumps_flat, loads

NAMES: list[Any] = ["name", "नाम", "", 'a"b\\c\n', "\u2028", "\x00", "😀"]
VALUES: list[Any] = [*NAMES, 0, -1, 2**63 - 1, 2**64 - 1, -(2**63), True, False, None]
REFUSED: list[Any] = ["\ud800", 2**64, -(2**63) - 1, b"", {1}, object(), float("nan")]
NOT_FLAT: list[Any] = [1.5, [], {"a": 1}, type("Text", (str,), {})("a"), type("Number", (int,), {})(1)]


def test_flat_objects() -> None:
    """`dumps_flat` writes what `dumps` does. It returns None for values that `dumps` refuses or may convert."""
    chance = random.Random(1)
    for _ in range(3000):
        names = chance.choices(NAMES, k=chance.randrange(5))
        value = {name: chance.choice(VALUES) for name in names}
        text = dumps_flat(value)
        assert text is not None
        assert value == loads(text) == loads(dumps(value))
        other = chance.choice([*REFUSED, *NOT_FLAT])
        assert dumps_flat({**value, "other": other}) is None
        assert dumps_flat({**value, chance.choice([1, None, b"a", "\udc00"]): "a"}) is None
    assert [None] * 4 == [dumps_flat(value) for value in ([], "a", None, type("Mapping", (dict,), {})())]


@pytest.mark.parametrize("value", REFUSED)
def test_refused_values(value: Any) -> None:
    """A value that JSON cannot hold is refused."""
    with pytest.raises((TypeError, ValueError)):
        dumps({"a": value})


def test_encoded_text() -> None:
    """A text that is JSON already is not written again."""
    assert b'{"a": 1}' == dumps(Encoded(b'{"a": 1}'))
