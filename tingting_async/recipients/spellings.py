"""How people, phones and spreadsheets write phone numbers: from any value to the digits that were meant.

Each function returns what it was asked for, or a `Refusal`. Nothing is guessed: all digits of a value count.
"""

import operator
import re
import unicodedata
from datetime import date, time, timedelta
from decimal import Decimal
from numbers import Real
from typing import Any

from tingting_async.recipients.problems import NumberProblem, Refusal

PREFIXES = frozenset({"", "0", "977", "9770", "0977", "09770", "00977", "009770"})
"""What may come before the digits of a number."""

MAX_LENGTH = 200
"""The length of the longest text that is examined."""


def ascii_digits(text: str) -> str:
    """Return a text with the digits of other scripts, such as Devanagari, replaced by ASCII digits."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(character, character)) for character in text)


def is_same_number(text: str | None, digits: str) -> bool:
    """Return whether a number that the service lists, in any spelling, has these digits.

    The last digits alone do not decide: a mobile number may end in the digits of a landline.
    """
    found = "".join(character for character in ascii_digits(text or "") if character.isdecimal())
    return found.endswith(digits) and found.removesuffix(digits) in PREFIXES


def dialled(value: Any) -> str | Refusal:
    """Return what to dial for a value: digits, after a plus sign if it has one."""
    return _of_text(value) if isinstance(value, str) else _of_object(value)


# Values of other types.


def _of_object(value: Any) -> str | Refusal:
    """Return the digits of a cell that is not text: exactly its decimal value."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return Refusal(NumberProblem.BLANK, "is empty")
    kind = type(value).__name__
    if kind == "datetime64" and value != value:  # noqa: PLR0124 - NumPy's "not a time"
        return Refusal(NumberProblem.BLANK, "is empty")
    if isinstance(value, date | time | timedelta) or kind in ("datetime64", "timedelta64"):
        return Refusal(NumberProblem.DATE, f"is a {kind}, not a phone number")
    no_number = Refusal(NumberProblem.NOT_A_NUMBER, f"must be a phone number as a string or an integer, not {kind}")
    if kind in ("bool", "bool_"):
        return no_number
    try:
        return _of_whole(operator.index(value))
    except TypeError:
        return _of_fraction(value) if isinstance(value, Decimal | Real) else no_number


def _of_fraction(value: Any) -> str | Refusal:
    """Return the digits of a float, a Decimal or another number that may have a fraction."""
    if value.is_nan() if isinstance(value, Decimal) else value != value:  # noqa: PLR0124
        return Refusal(NumberProblem.BLANK, "is empty")
    size = getattr(getattr(value, "dtype", None), "itemsize", 8)
    if size < 8 and abs(float(value)) >= 2**24:  # NumPy's float32 has no more digits.
        return Refusal(NumberProblem.LOST_DIGITS, f"is a {type(value).__name__}, which has lost digits of the number")
    value = value if size >= 8 else float(value)
    if not -1e18 < value < 1e18:
        return _of_whole(10**18)
    whole = int(value)
    return _of_whole(whole) if whole == value else Refusal(NumberProblem.AMOUNT, "has a fraction, as an amount has")


def _of_whole(whole: int) -> str | Refusal:
    if abs(whole) >= 10**18:  # Python converts no integer of more than 4,300 digits to a string.
        return Refusal(NumberProblem.TOO_LONG, "has too many digits for a number of Nepal")
    if whole < 0:
        return Refusal(NumberProblem.NOT_A_NUMBER, "is negative, so it is not a valid phone number")
    text = str(whole)
    return Refusal(NumberProblem.DATE, _IS_DATE) if _COMPACT_DATE.fullmatch(text) else text


# Texts.

_IS_DATE = "is a date or a time, not a phone number"

_QUOTES = dict.fromkeys(map(ord, "'\"`\u00b4\u2018\u2019\u201b\u201c\u201d\u02bc\u2032\u2033\uff07\uff02"), "'")
_MARKS = {**dict.fromkeys((0x2044, 0x2215, 0x29F8), "/"), **dict.fromkeys((0xB7, 0x2022, 0x2219), ".")}

_LABEL = re.compile(
    r"(?:telephone|tele|tel|phone|ph|mobile|mob|mo|m|cell|contact|number|num|no|whatsapp|viber|callto|sms"
    "|टेलिफोन|फोन|मोबाइल|मोबाईल|मो|सम्पर्क|नम्बर|नं)"
    r"(?:\s*(?:number|num|no|नम्बर|नं))?[\s.:/-]+(?=[+(\[\d])|[\u260e\u260f\u2706\U0001f4de\U0001f4f1\U0001f4f2]\ufe0f?\s*"
)
_CURRENCY = re.compile(
    r"(?:(?:nrs|rs|npr|inr|usd|रुपैयाँ|रु|रू|[₨₹$€£¥])[\s.]*(?=\d).*"
    r"|\d.*?\s*(?:nrs|rs|npr|inr|usd|रुपैयाँ|रु|रू|[₨₹$€£¥]|%|/[-=])[.\s]*(?:only)?)"
)
_GROUPED = re.compile(
    r"\d{1,3}(?:,\d{3})+(?:\.\d*)?"  # 14,500,000.00
    r"|\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d*)?"  # 1,45,00,000.00
    r"|\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:\.\d{3}){2,}"  # 14.500.000,00
)
_SCIENTIFIC = re.compile(r"(\d+)(?:[.,](\d*))?e([+-]?)(\d{1,3})")
_FRACTION = re.compile(r"([^.]*\d)\.(\d+)")
_ZERO_FRACTION = re.compile(r"\d\s*\.\s*0\Z|\A[^.]*\.\s*0+\Z")
_COMMA_FRACTION = re.compile(r"\d{1,7},\d{1,2}")

_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d*)?)?(?:\s*[ap]\.?m\.?)?(?:\s*(?:z|utc|gmt|[+-]\d{2}:?\d{2}))?"
_COMPACT_DATE = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[0-2])")  # No landline begins like this.
_DATE_DIGITS = 8
"""The number of digits of a date without separators."""
_DATE = re.compile(
    rf"(?:(?P<y>(?:19|20|21)\d\d)\s*[-/. ]\s*(?P<m>\d{{1,2}})\s*[-/. ]\s*(?P<d>\d{{1,2}})"
    rf"|(?P<a>\d{{1,2}})\s*[-/. ]\s*(?P<b>\d{{1,2}})\s*[-/. ]\s*(?:(?:19|20|21)\d\d|\d\d)"
    rf"|(?P<compact>{_COMPACT_DATE.pattern}))(?:[t\s,]+{_CLOCK})?[.\s]*"
)
_FISCAL_YEAR = re.compile(r"(?:19|20)\d\d\s*[-/]\s*\d{2,3}")
_TIME = re.compile(_CLOCK)
_MONTH = re.compile(
    r"(?:^|[^a-z])(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec|january|february|march|april|august"
    r"|september|october|november|december|bai?sh?akh?|jestha|jeth|asa[dr]h?|ashadh|shrawan|sa[au]un|saun|bhadra"
    r"|bhadau|ashwin|aso[jz]|kart?tik|mangsir|poush|push|magh|fa[lg]+un|phalgun|phagun|chaitra|chait)(?:[^a-z]|$)"
    "|वैशाख|बैशाख|जेठ|जेष्ठ|असार|आषाढ|साउन|श्रावण|भदौ|भाद्र|असोज|आश्विन|कात्तिक|कार्तिक|मंसिर|मङ्सिर|मार्ग|पुस|पौष|माघ"
    "|फागुन|फाल्गुन|चैत"
)
_EXTENSION = re.compile(r"(.*\d)\s*[;,]?\s*[(]?(?:ext(?:ensio)?n?|x|#|एक्सटेन्सन)[\s.:=]*\d{1,6}[)]?")
_SEPARATED = re.compile(r"\d[^\d]*(?:[/,;:|&\\+]|\b(?:or|and)\b|(?<!\w)(?:वा|र|तथा|अथवा)(?!\w))[^\d]*\d")
_RANGE = re.compile(r"(?:.*[\s-])?\d{6,7}\s?-\s?\d{1,2}")  # 4442345-6 are two landlines: 4442345 and 4442346.
_SHAPE = re.compile(r"[(\[\s]*\+?\s*[\d(\[][\d\s().\[\]_-]*")
_SHAPE_MARKS = frozenset(" ()+.[]_-")
_SHORTEST = 7
"""The number of digits of the shortest phone numbers, without their area code."""
_LONG_RUN = re.compile(rf"\d(?:[\s.-]?\d){{{_SHORTEST - 1},}}")
_LETTERS = {"o": ("O", 0), "i": ("I", 1), "l": ("l", 1), "z": ("Z", 2), "s": ("S", 5), "b": ("B", 8)}
"""Letters that are typed instead of the digits that they resemble."""
_RESEMBLED = {ord(letter): str(digit) for letter, (_, digit) in _LETTERS.items()}
_RESEMBLING = re.compile(rf"(?<=\d)[{''.join(_LETTERS)}]|[{''.join(_LETTERS)}](?=\d)")
SEVERAL = "may be more than one number: give one number only"


def _of_text(text: str) -> str | Refusal:
    """Return the digits of a text, after a plus sign if it begins with one."""
    if len(text) > MAX_LENGTH and len(text := text.strip()) > MAX_LENGTH:
        return Refusal(NumberProblem.NOT_A_NUMBER, "is not a valid phone number: it is a long text")
    if not text.isascii() and any(
        each.isnumeric() and not each.isdecimal() for each in text
    ):  # A superscript may be a footnote.
        return _no_number("it has a character that only resembles a digit, such as ² or Ⅸ. Write digits")
    plain = _plain(text)
    if not plain:
        return Refusal(NumberProblem.BLANK, "is empty, so it is not a valid phone number")
    digits = plain.removeprefix("+")
    if digits.isdecimal() and len(digits) != _DATE_DIGITS:
        return plain
    plain = _LABEL.sub("", plain, count=1) if _LABEL.match(plain) else plain
    return _other_value(plain) or _written_number(plain)


def _plain(text: str) -> str:
    """Return a text in lower case, with ASCII digits, dashes and spaces, without marks that cannot be seen."""
    if "_x000" in text:
        text = text.replace("_x000D_", "").replace("_x000A_", " ")
    if text.isascii() and text.isprintable():  # Most are.
        text = text.replace('"', "'").replace("`", "'").lower().strip(" '")
    else:
        text = unicodedata.normalize("NFKC", text.translate(_QUOTES)).translate(_MARKS)
        text = "".join(map(_plain_character, ascii_digits(text))).lower().strip(" '")
    text = text.removeprefix("=").strip(" '")  # `="9841234567"` keeps a spreadsheet from making it a number.
    if text.endswith(("/-", "/=")):  # An amount of rupees.
        return text
    if not any(map(str.isdigit, text)):
        return text
    return text.lstrip(" ,;:/|").rstrip(" .,;:/|\u0964-")


def _plain_character(character: str) -> str:
    if character.isspace():
        return " "
    if character == "\u2212":
        return "-"
    if character.isascii() and character.isprintable():
        return character
    return {"Cf": "", "Cc": "", "Pd": "-"}.get(unicodedata.category(character), character)


def _other_value(text: str) -> Refusal | None:
    """Return the refusal of a text that is a date, an amount, or a number that lost digits; None for any other."""
    if _is_date(text):
        return Refusal(NumberProblem.DATE, _IS_DATE)
    if _CURRENCY.fullmatch(text) or _GROUPED.fullmatch(text) or _COMMA_FRACTION.fullmatch(text):
        return Refusal(NumberProblem.AMOUNT, "is written as an amount, not as a phone number")
    if text.strip("#") == "" or ((found := _SCIENTIFIC.fullmatch(text)) and found[3] != "-" and _is_lossy(found)):
        lost = "has lost digits: in the spreadsheet, format the column as text or as 0, and copy the number again"
        return Refusal(NumberProblem.LOST_DIGITS, lost)
    return None


def _is_lossy(found: re.Match[str]) -> bool:
    """Return whether a number in scientific notation shows fewer digits than it has."""
    return len(found[2] or "") < int(found[4])


def _is_date(text: str) -> bool:
    if found := _DATE.fullmatch(text):
        if found["y"]:
            return int(found["m"]) <= 32 and int(found["d"]) <= 32  # Months of Bikram Sambat have up to 32 days.
        return bool(found["compact"]) or sorted((int(found["a"]), int(found["b"]))) <= [12, 32]
    if _TIME.fullmatch(text) or _FISCAL_YEAR.fullmatch(text):
        return True
    return _MONTH.search(text) is not None and 0 < sum(map(str.isdigit, text)) <= 14


def _written_number(text: str) -> str | Refusal:
    """Return the digits of a text that is neither a date nor an amount."""
    if found := _SCIENTIFIC.fullmatch(text):
        places = len(found[2] or "") - int(f"{found[3]}{found[4]}")
        digits = found[1] + (found[2] or "")
        text = f"{digits[: len(digits) - places]}.{digits[len(digits) - places :]}" if places else digits
    if found := _FRACTION.fullmatch(text):
        whole, fraction = found.groups()
        is_zero = not fraction.strip("0")
        if whole.isdigit() and _is_quantity(whole, fraction, is_zero):
            return Refusal(NumberProblem.AMOUNT, "has a fraction, as an amount has")
        if is_zero and whole.removeprefix("+").isdigit():
            text = whole  # A spreadsheet's "9841234567.0".
    if _ZERO_FRACTION.search(text):
        return _no_number("it ends in .0, as no number does. Write digits only")
    if (found := _EXTENSION.fullmatch(text)) and sum(map(str.isdigit, found[1])) >= 6:
        return Refusal(NumberProblem.EXTENSION, "has an extension, which the service cannot dial: remove it")
    if _SEPARATED.search(text) or _RANGE.fullmatch(text):
        return Refusal(NumberProblem.AMBIGUOUS, SEVERAL)
    digits = "".join(filter(str.isdigit, text))
    if not digits or not _SHAPE.fullmatch(text):
        return _unreadable(text, len(digits))
    return f"+{digits}" if "+" in text else digits


def _unreadable(text: str, digits: int) -> Refusal:
    """Return why a text does not have the shape of a number, and what to do about it."""
    if not digits:
        return _no_number("it has no digits")
    if len(_LONG_RUN.findall(text)) > 1:
        return Refusal(NumberProblem.AMBIGUOUS, SEVERAL)
    if _SHAPE.fullmatch(text.translate(_RESEMBLED)) and (found := _RESEMBLING.search(text)):
        shown, digit = _LETTERS[found[0]]
        return _no_number(f"it has the letter {shown}, perhaps instead of the digit {digit}. Write digits")
    if any(map(str.isalpha, text)):
        if digits < _SHORTEST:
            return _no_number("it is a text with a few digits")
        return _no_number("it has words beside the digits. Give the number without them")
    marks = sorted({each for each in text if not (each.isalnum() or each in _SHAPE_MARKS)})
    which = f"the mark {' '.join(marks)}" if marks else "brackets, a plus sign or other marks in unusual places"
    return _no_number(f"it has {which}. Write digits only")


def _no_number(why: str) -> Refusal:
    return Refusal(NumberProblem.NOT_A_NUMBER, f"is not a valid phone number: {why}")


def _is_quantity(whole: str, fraction: str, is_zero: bool) -> bool:
    """Return whether a text with a single dot is a decimal number, such as a price, a share or a latitude."""
    if is_zero:  # A spreadsheet writes 500 as "500.0"; a person writes 500 rupees as "500.00".
        return len(fraction) == 2 and len(whole) < 8
    if len(fraction) <= 2 or len(whole) >= 8 or whole == "0":
        return True
    return not whole.startswith("0") and len(whole) + len(fraction) < 10
