"""What can be wrong with a phone number, and with a row of a list."""

from enum import StrEnum

import attrs

from tingting_async.errors import UsageError


class NumberProblem(StrEnum):
    """Why a value is refused as a phone number.

    Attributes:
        BLANK: There is no value: None, an empty string, white space, NaN.
        NOT_A_NUMBER: The value is something else, or it contains something else beside a number.
        TOO_SHORT: It has too few digits. Perhaps a digit is missing, or the area code of a landline.
        TOO_LONG: It has too many digits.
        FOREIGN: It is a number of another country. TingTing reaches only numbers of Nepal.
        LANDLINE: It is a landline, which cannot receive texts.
        TOLL_FREE: It is a toll-free number, which belongs to no person.
        DATE: It is a date or a time.
        AMOUNT: It is an amount of money, or another quantity.
        AMBIGUOUS: It may be more than one number.
        EXTENSION: It has an extension, which the service cannot dial.
        LOST_DIGITS: A spreadsheet has replaced digits, as in `9.84E+09`. Only the original has them.
        PADDED: It ends in so many zeros that a spreadsheet may have replaced digits by zeros.
        UNKNOWN_PREFIX: It has the right length, but no known number begins like this.
    """

    BLANK = "blank"
    NOT_A_NUMBER = "not a number"
    TOO_SHORT = "too short"
    TOO_LONG = "too long"
    FOREIGN = "foreign"
    LANDLINE = "landline"
    TOLL_FREE = "toll-free"
    DATE = "date"
    AMOUNT = "amount"
    AMBIGUOUS = "ambiguous"
    EXTENSION = "extension"
    LOST_DIGITS = "lost digits"
    PADDED = "padded"
    UNKNOWN_PREFIX = "unknown prefix"


class RowProblemKind(StrEnum):
    """Why a row is left out, if its phone number alone does not say it.

    Attributes:
        DUPLICATE: An earlier row has the same number and the same values, or the number is in another list.
        CONFLICT: Another row has the same number with other values. Both are left out.
        ERROR: A cell has the error of a spreadsheet's formula, such as `#N/A`.
        FORMULA: A cell has a formula, and the file does not have its result.
        VALUE: A value cannot be sent, e.g. because it is bytes.
        CELLS: The row has more or fewer cells than there are columns.
        TOTAL: The row says that it is a total, and has a phone number.
        ABOVE: The row is above the headers, and does not seem to be a title.
    """

    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    ERROR = "error"
    FORMULA = "formula"
    VALUE = "value"
    CELLS = "cells"
    TOTAL = "total"
    ABOVE = "above the headers"


@attrs.frozen
class RowProblem:
    """A row that is left out, and why. All texts are safe to show: phone numbers are masked.

    Attributes:
        row: The number of the row, as the spreadsheet shows it.
        column: The header of the column with the problem; its letters if it has no header.
        kind: What is wrong. Both enums are strings, such as `"too short"` and `"duplicate"`.
        message: What is wrong, as a sentence that names row and column.
    """

    row: int
    column: str
    kind: NumberProblem | RowProblemKind
    message: str


class InvalidNumberError(UsageError):
    """A value is not a phone number that TingTing can reach.

    Args:
        message: The text of the error, safe to show.
        problem: What is wrong with the value.
    """

    def __init__(self, message: str = "", *, problem: NumberProblem = NumberProblem.NOT_A_NUMBER) -> None:
        super().__init__(message)
        self.problem = problem


@attrs.frozen
class Refusal:
    """A value that is refused.

    Attributes:
        problem: What is wrong with it.
        reason: The same as the end of a sentence that begins with the value.
    """

    problem: NumberProblem
    reason: str


def require_type(kind: type[str | bool], **given: object) -> None:
    """Refuse arguments of another type; None is one that is not given.

    Raises:
        UsageError: An argument has another type.
    """
    for name, value in given.items():
        if value is not None and not isinstance(value, kind):
            what = "one string" if kind is str else "True or False"
            raise UsageError(f"RecipientList: `{name}` must be {what}, not {type(value).__name__}.")


def require_text(text: object, name: str = "text") -> None:
    """Refuse an argument that is not a string.

    Raises:
        UsageError: It is something else.
    """
    if not isinstance(text, str):
        raise UsageError(f"`{name}` must be a string, not {type(text).__name__}.")
