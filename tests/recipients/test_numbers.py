"""Phone numbers as people and spreadsheets write them."""

import copy
import csv
import pickle
import re
import unicodedata
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings, strategies as st
from support.frames import chain, frame_locals

from tingting_async import InvalidNumberError, NepaliNumber, NumberKind, NumberProblem, UsageError, parse_number
from tingting_async.recipients.numbers import phone_number

TABLE = Path(__file__).with_name("numbers.csv")


def rows() -> list[tuple[str, str]]:
    """Return each spelling of the table with its answer: the national digits, or the name of the problem."""
    escapes = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\"}

    def unescape(found: re.Match[str]) -> str:
        return escapes.get(found[1]) or chr(int(found[1][1:], 16))

    with TABLE.open(encoding="utf-8", newline="") as file:
        return [
            (re.sub(r"\\(u[0-9a-f]{4}|[ntr\\])", unescape, row["given"]), row["answer"]) for row in csv.DictReader(file)
        ]


def answer_to(value: Any, **options: Any) -> str:
    """Return the national digits that a value means, or the name of the problem."""
    try:
        return parse_number(value, **options).national
    except InvalidNumberError as error:
        return error.problem.name


@pytest.mark.parametrize(("given", "answer"), rows())
def test_table(given: str, answer: str) -> None:
    """Each spelling has the answer of the table: the national digits, or a problem."""
    assert answer == answer_to(given)


OBJECTS: list[tuple[Any, str]] = [
    (9841234567, "9841234567"),
    (9779841234567, "9841234567"),
    (14412345, "14412345"),
    (9841234567.0, "9841234567"),
    (9779841234567.0, "9841234567"),
    (Decimal(9841234567), "9841234567"),
    (Decimal("9841234567.00"), "9841234567"),
    (Decimal("9.841234567E+9"), "9841234567"),
    (Decimal("9.84123456E+9"), "9841234560"),
    (Fraction(9841234567), "9841234567"),
    (NepaliNumber("9841234567", NumberKind.MOBILE), "9841234567"),
    (984123456.0, "TOO_SHORT"),
    (984123456, "TOO_SHORT"),
    (0, "TOO_SHORT"),
    (46351, "TOO_SHORT"),
    (98412345678, "TOO_LONG"),
    (10**5000, "TOO_LONG"),
    (-(10**5000), "TOO_LONG"),
    (1e300, "TOO_LONG"),
    (float("inf"), "TOO_LONG"),
    (Decimal("1E+999999"), "TOO_LONG"),
    (9841234567.5, "AMOUNT"),
    (984123456.5, "AMOUNT"),
    (123456.78, "AMOUNT"),
    (Decimal("123456.78"), "AMOUNT"),
    (14500000, "AMOUNT"),
    (14500000.0, "AMOUNT"),
    (9.84e9, "PADDED"),
    (9.77984e12, "PADDED"),
    (9779840000000, "PADDED"),
    (Decimal("9.84E+9"), "PADDED"),
    (9991234567, "UNKNOWN_PREFIX"),
    (20810512, "DATE"),
    (20251125.0, "DATE"),
    (date(2026, 11, 25), "DATE"),
    (datetime(2026, 11, 25, tzinfo=UTC), "DATE"),
    (time(10, 30), "DATE"),
    (timedelta(days=1), "DATE"),
    (None, "BLANK"),
    (float("nan"), "BLANK"),
    (Decimal("NaN"), "BLANK"),
    (-9841234567, "NOT_A_NUMBER"),
    (-9841234567.0, "NOT_A_NUMBER"),
    (True, "NOT_A_NUMBER"),
    (False, "NOT_A_NUMBER"),
    (b"9841234567", "NOT_A_NUMBER"),
    (["9841234567"], "NOT_A_NUMBER"),
    ({"number": "9841234567"}, "NOT_A_NUMBER"),
    (object(), "NOT_A_NUMBER"),
    (9841234567 + 0j, "NOT_A_NUMBER"),
    ("\ud800", "NOT_A_NUMBER"),
    ("9" * 100_000, "NOT_A_NUMBER"),
    ("9841234567" + " " * 100_000, "9841234567"),
]


@pytest.mark.parametrize(("value", "answer"), OBJECTS, ids=lambda value: type(value).__name__)
def test_cells(value: Any, answer: str) -> None:
    """A numeric cell is its exact value, and any other object is refused as what it is."""
    assert answer == answer_to(value)


def test_kinds() -> None:
    """A number knows its kind and its international form."""
    mobile, landline = parse_number("984-1234567"), parse_number("01-4412345")
    assert (NumberKind.MOBILE, "+9779841234567") == (mobile.kind, mobile.e164)
    assert (NumberKind.LANDLINE, "+97714412345") == (landline.kind, landline.e164)


@pytest.mark.parametrize(
    ("value", "options", "answer"),
    [
        ("01-4412345", {"mobile_only": True}, "LANDLINE"),
        ("9841234567", {"mobile_only": True}, "9841234567"),
        ("9991234567", {"allow_unknown_prefix": True}, "9991234567"),
        ("98312345", {"allow_unknown_prefix": True}, "TOO_SHORT"),
        ("8041234567", {"allow_unknown_prefix": True}, "UNKNOWN_PREFIX"),
        ("20-123456", {"allow_unknown_prefix": True}, "20123456"),
        ("20-123456", {"allow_unknown_prefix": True, "mobile_only": True}, "LANDLINE"),
        (9840000000, {"allow_padded": True}, "9840000000"),
        (14500000, {"allow_padded": True}, "14500000"),
        ("9.84E+09", {"allow_padded": True}, "LOST_DIGITS"),
    ],
)
def test_options(value: Any, options: dict[str, bool], answer: str) -> None:
    """The caller can refuse landlines, and accept unknown prefixes and round numbers."""
    assert answer == answer_to(value, **options)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("984123456.0", r"`value` \(…56\.0\) has 9 digits, too few"),
        (984123456.0, r"`value` \(…56\.0\) has 9 digits, too few"),
        (Decimal("98412345678.0"), r"`value` \(…78\.0\) has 11 digits, too many"),
        ("+977 98412345678", r"`value` \(…78\) has 11 digits, too many"),
        ("+91 98412 34569", r"`value` \(…69\) is a number of another country"),
        ("९८४१२३४५", r"`value` \(…४५\) has 8 digits, too few"),
        (
            "9840000000",
            r"`value` .* may have padded it\. Compare .* right, give `allow_padded=True`",
        ),
        ("", "`value` is empty, so it is not a valid phone number"),
        (True, "`value` must be a phone number as a string or an integer, not bool"),
    ],
)
def test_masked_end(value: Any, shown: str) -> None:
    """The error says what is wrong, and shows no more than the end of what was typed."""
    with pytest.raises(InvalidNumberError, match=shown):
        parse_number(value)


def test_error() -> None:
    """The error is a `UsageError` that can be copied and pickled, and that calls the value as it is told."""
    with pytest.raises(InvalidNumberError, match=r"^`B7` \(…68\) may be more than one number") as caught:
        parse_number("9841234567/68", name="B7")
    assert isinstance(caught.value, UsageError)
    for other in (copy.copy(caught.value), pickle.loads(pickle.dumps(caught.value))):
        assert NumberProblem.AMBIGUOUS == other.problem
        assert str(caught.value) == str(other)


@pytest.mark.parametrize(
    "value",
    [
        "984123456789",
        "+91 9841234567",
        "9841234567 / 9851234567",
        "Sita 9841234567",
        "९८४१२३४५६७८",
        984123456789,
        984123456789.0,
        Decimal("98412345678.5"),
        ["9841234567"],
        NepaliNumber("98412345670", NumberKind.MOBILE),
    ],
)
def test_nothing_shows_the_value(value: Any) -> None:
    """Neither the error nor a local variable of its frames shows the number, and no name beside it."""
    with pytest.raises(InvalidNumberError) as caught:
        parse_number(value)
    secret = re.compile("[98९८]4123|९८४१|Sita|1234567")
    texts = [text for each in chain(caught.value) for text in (str(each), repr(each), str(vars(each)))]
    assert [] == [text for text in (*texts, *frame_locals(caught.value)) if secret.search(text)]


def test_repr() -> None:
    """The repr and the text of a number are masked."""
    number = parse_number("9841234567")
    assert "NepaliNumber(national='…67', kind=<NumberKind.MOBILE: 'mobile'>)" == repr(number) == str(number)


@pytest.mark.parametrize(
    ("value", "digits"),
    [
        ("9833333333", "9833333333"),
        (9800000000, "9800000000"),
        ("9800000000", "9800000000"),
        (14500000, "14500000"),
        ("20123456", "20123456"),
        (9841234567.0, "9841234567"),
    ],
)
def test_arguments(value: Any, digits: str) -> None:
    """The arguments of a session accept unknown prefixes and round numbers, which the caller has typed."""
    assert digits == phone_number(value)


def test_rounded_argument() -> None:
    """A float that may have been rounded is refused as an argument of a session, with what to give instead."""
    with pytest.raises(InvalidNumberError, match=r"padded it\. Compare .* give it as a string or an integer"):
        phone_number(9.84e9)


PREFIXES = ("", "0", "977", "0977", "9770", "09770", "00977", "009770", "+977", "+9770", "+00977")
MOBILES = st.integers(0, 9_999_999).map(lambda end: f"{9_841_234_567 - 1_234_567 + end}")
LANDLINES = st.integers(0, 99_999).map(lambda end: f"{14_400_000 + end}")
SCRIPTS = tuple("".join(chr(zero + digit) for digit in range(10)) for zero in (0x30, 0x966, 0xFF10))


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Return a text that is more or less a phone number."""
    digits = draw(st.sampled_from(PREFIXES)) + draw(MOBILES | LANDLINES)
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(digits)))
        marks = [*" -.()/,;'+exE0९\uff19\u200e\u00a0\u2013\u00b7\n", ".0", " .0", "", "E+09", "+977", "ext"]
        digits = digits[:place] + draw(st.sampled_from(marks)) + digits[place + draw(st.integers(0, 1)) :]
    digits = digits.translate(str.maketrans(SCRIPTS[0], draw(st.sampled_from(SCRIPTS))))
    return digits + draw(st.sampled_from(["", "", ".0", ".00", ".5", "E+09", "/68", " ", ";", "\u200f"]))


def digits_of(text: str) -> str:
    """Return all digits of a text, or those of the whole number that it is in a spreadsheet's notation."""
    plain = "".join(str(unicodedata.decimal(each, each)) for each in text if unicodedata.category(each) != "Cf")
    plain = plain.strip(" '\n.;,-/\u2013\u00a0")
    if re.fullmatch(r"\d+([.,]\d+)?[eE]\+?\d+", plain):
        return str(int(Decimal(plain.replace(",", "."))))
    return "".join(filter(str.isdecimal, re.sub(r"\A(\+?\d+)[.\u00b7]0+\Z", r"\1", plain)))


@settings(deadline=None, max_examples=600)
@given(texts() | st.text("0123456789+- ().,/eE\u200e९"))
def test_all_digits_of_a_text_count(text: str) -> None:
    """A text that is accepted means all its digits, less a listed prefix."""
    answer = answer_to(text, allow_unknown_prefix=True, allow_padded=True)
    if answer.isdigit():
        assert digits_of(text) in {prefix.removeprefix("+") + answer for prefix in PREFIXES}


@settings(deadline=None, max_examples=300)
@given(
    st.integers()
    | st.floats()
    | st.decimals()
    | st.integers(0, 10**14).flatmap(lambda n: st.sampled_from([n, float(n), Decimal(n), n / 10, n / 100]))
    | (MOBILES | LANDLINES).flatmap(lambda n: st.sampled_from([int(n), float(n), Decimal(n), int(f"977{n}")]))
)
def test_numeric_cells_are_their_value(cell: Any) -> None:
    """A numeric cell that is accepted means exactly its decimal value, less the country code."""
    answer = answer_to(cell, allow_unknown_prefix=True, allow_padded=True)
    if answer.isdigit():
        assert Decimal(cell) in (Decimal(answer), Decimal(f"977{answer}"))


@settings(deadline=None, max_examples=100)
@given(MOBILES | LANDLINES, st.sampled_from(PREFIXES), st.lists(st.sampled_from([" ", "-", "\u200e", "\u2013"])))
def test_separators_change_nothing(number: str, prefix: str, separators: list[str]) -> None:
    """A number with a listed prefix is the same number with separators anywhere between its digits.

    Only one dash before the last digits may mean a range, such as 4442345-6.
    """
    for place, separator in enumerate(separators[: len(number) - 1], 1):
        number = number[: 2 * place - 1] + separator + number[2 * place - 1 :]
    assume(not re.fullmatch(r"\d+[-\u2013]\d{1,2}", number.replace("\u200e", "")))
    digits = "".join(filter(str.isdecimal, number))
    assert digits == answer_to(f"{prefix} {number}", allow_padded=True)


@pytest.mark.parametrize(
    ("value", "problem", "said"),
    [
        ("9841000005 (father)", NumberProblem.NOT_A_NUMBER, "words beside the digits. Give the number without them"),
        ("call 9841000005", NumberProblem.NOT_A_NUMBER, "words beside the digits"),
        ("९८४१०००००५ (बुबा)", NumberProblem.NOT_A_NUMBER, "words beside the digits"),
        ("9841000005 s", NumberProblem.NOT_A_NUMBER, "words beside the digits"),
        ("98410OOOO5", NumberProblem.NOT_A_NUMBER, "the letter O, perhaps instead of the digit 0. Write digits"),
        ("o9841000005", NumberProblem.NOT_A_NUMBER, "the letter O, perhaps instead of the digit 0"),
        ("984l000005", NumberProblem.NOT_A_NUMBER, "the letter l, perhaps instead of the digit 1"),
        ("98410 0000I", NumberProblem.NOT_A_NUMBER, "the letter I, perhaps instead of the digit 1"),
        ("984100000S", NumberProblem.NOT_A_NUMBER, "the letter S, perhaps instead of the digit 5"),
        ("+977-984100000B", NumberProblem.NOT_A_NUMBER, "the letter B, perhaps instead of the digit 8"),
        ("984100000²", NumberProblem.NOT_A_NUMBER, "only resembles a digit"),
        ("9841000005*", NumberProblem.NOT_A_NUMBER, r"the mark \*. Write digits only"),
        ("father", NumberProblem.NOT_A_NUMBER, "it has no digits"),
        ("at 5 pm", NumberProblem.NOT_A_NUMBER, "a text with a few digits"),
        ("9841000005 ext. 5", NumberProblem.EXTENSION, "an extension, which the service cannot dial: remove it"),
        (
            "9841000005 (home) 9851000006 (office)",
            NumberProblem.AMBIGUOUS,
            "more than one number: give one number only",
        ),
        ("Ram 9841000005 Sita 985-1000006", NumberProblem.AMBIGUOUS, "more than one number: give one number only"),
    ],
)
def test_says_what_is_wrong(value: str, problem: NumberProblem, said: str) -> None:
    """The error of a number that people write says what is wrong with it, and what to do."""
    with pytest.raises(InvalidNumberError, match=said) as caught:
        parse_number(value)
    assert problem is caught.value.problem
