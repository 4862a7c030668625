"""cattrs uses the strict hooks, at every depth."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest

from tingting_async.decoding.fields import OpenEnum, StrOrInt
from tingting_async.decoding.hooks import make_converter


class Colour(OpenEnum):
    RED = "red"


@attrs.frozen(kw_only=True)
class Sample:
    whole: int = 0
    real: float = 0.0
    amount: Decimal = Decimal(0)
    text: str = ""
    flag: bool = False
    number: StrOrInt = ""
    colour: Colour = Colour.RED
    texts: tuple[str, ...] = ()
    flags: tuple[bool, ...] | None = None
    lasted: timedelta = timedelta(0)


@pytest.mark.parametrize(
    "payload",
    [
        {"whole": None},
        {"whole": "no"},
        {"whole": 1.5},
        {"whole": True},
        {"whole": "1_000"},
        {"whole": "१२"},
        {"whole": 1e300},
        {"real": "nan"},
        {"real": "1e999"},
        {"real": 10**400},
        {"amount": "Infinity"},
        {"lasted": "-5"},
        {"lasted": -5},
        {"lasted": "5:99"},
        {"lasted": "1:75:00"},
        {"lasted": "9" * 25 + "h"},
        {"real": True},
        {"amount": "NaN"},
        {"text": None},
        {"text": 5},
        {"flag": "no"},
        {"flag": 1},
        {"number": None},
        {"number": 1.0},
        {"colour": None},
        {"colour": 5},
        {"texts": "abc"},
        {"texts": [None]},
        {"flags": ["no"]},
    ],
)
def test_refused(payload: dict[str, Any]) -> None:
    """A value of another type is refused, never converted: None is not "None", "no" is not True."""
    with pytest.raises(Exception, match=r"expected |While structuring"):
        make_converter({}).structure(payload, Sample)


def test_accepted() -> None:
    """A string that represents a number is decoded as the number, and an unknown value of an enum is kept."""
    payload = {"whole": "5", "real": 1, "amount": "1.50", "number": 98, "colour": "blue", "texts": None, "flags": ""}
    read = make_converter({}).structure(payload, Sample)
    assert read == Sample(whole=5, real=1.0, amount=Decimal("1.50"), number="98", colour=Colour("blue"))
    assert (type(read.whole), type(read.real), type(read.colour)) == (int, float, Colour)
