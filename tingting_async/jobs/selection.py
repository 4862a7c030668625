"""Who of a list is called or texted, and who is left out, decided before anything is created."""

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Sequence, Set as AbstractSet, Sized
from typing import TYPE_CHECKING, Any

import attrs

from tingting_async.errors import UsageError
from tingting_async.recipients.columns import listed
from tingting_async.recipients.legacy_fonts import is_legacy_font
from tingting_async.recipients.numbers import phone_number
from tingting_async.recipients.problems import InvalidNumberError
from tingting_async.recipients.recipient_list import RecipientList
from tingting_async.recipients.texts import is_blank
from tingting_async.redaction import mask_repr, repr_text
from tingting_async.resources import arguments
from tingting_async.resources.models import NewContact

if TYPE_CHECKING:
    from tingting_async.recipients.rejects import InputRow

_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
NO_VALUE, LEGACY_FONT, SUPPRESSED = "no value", "legacy font", "suppressed"
"""The kinds of problems that a job finds. The other kinds are those of a list."""
_LEGACY = (
    "seems to be typed for a legacy Nepali font, such as Preeti, so nobody could read it. Convert it to Unicode; or "
    "give `allow_legacy_font=True` if it is right."
)


@attrs.frozen
class SelectedRow:
    """A row of the input.

    Attributes:
        row: The row, as the spreadsheet shows it.
        number: The phone number's digits; None if the row has no valid number.
        problem: The kind of the problem for which it is left out; empty if there is none.
        reason: The same as a sentence.
    """

    row: int
    number: str | None = attrs.field(repr=mask_repr)
    problem: str = attrs.field(default="", repr=repr_text)
    reason: str = attrs.field(default="", repr=repr_text)


@attrs.frozen(repr=False)
class Selection:
    """The rows of a list: those that become contacts of the campaign, and those that are left out.

    Attributes:
        recipients: The input.
        rows: All its rows, in their order.
        contacts: The contacts.
    """

    recipients: RecipientList
    rows: Sequence[SelectedRow]
    contacts: Sequence[NewContact]

    def people(self, suppressed: AbstractSet[str]) -> list[NewContact]:
        """Return the contacts without those who are never reached."""
        return [each for each in self.contacts if each.number not in suppressed]

    def refuse_nobody(self, people: Sized) -> None:
        """Refuse a job that would reach nobody.

        Raises:
            UsageError: Every row is left out, or all others are never reached.
        """
        if not self.contacts:
            reasons = " ".join(each.reason for each in self.rows[:3])
            every = "its only row is" if len(self.rows) == 1 else f"all of its {len(self.rows)} rows are"
            text = f"`recipients` has nobody who can be reached: {every} left out. {reasons}"
            raise UsageError(text.rstrip())
        if not people:
            raise UsageError("`recipients` has nobody who can be reached: all are on the suppression list.")

    def digest(self) -> str:
        """Return a text that is the same for the same contacts in any order."""
        total = 0
        for contact in self.contacts:
            content = json.dumps([contact.number, dict(contact.variables)], sort_keys=True)
            total += int.from_bytes(hashlib.sha256(content.encode()).digest(), "big")
        return f"{len(self.contacts)} contacts, {total:x}"


def select(
    people: RecipientList, texts: Iterable[str], *, mobile_only: bool, allow_legacy_font: bool = False
) -> Selection:
    """Decide about every row of a list.

    Args:
        people: The list.
        texts: The messages, whose placeholders need a value in every row.
        mobile_only: Whether to leave out landlines.
        allow_legacy_font: Whether to take messages and values that seem to be typed for a legacy font.

    Raises:
        UsageError: A message seems to be typed for a legacy font, the list has no rows, or it has no column for a
            placeholder.
    """
    texts = [*texts]
    is_garbled = _never if allow_legacy_font else is_legacy_font
    if any(map(is_garbled, texts)):
        raise UsageError(f"The message {_LEGACY}")
    if not any(True for _ in people.input_rows()):
        raise UsageError("`recipients` is empty: it has no rows.")
    needed = sorted({name for text in texts for name in _names(text)})
    ready = iter(people)
    rows: list[SelectedRow] = []
    contacts: list[NewContact] = []
    for each in people.input_rows():
        if each.problem is not None:
            rows.append(SelectedRow(each.row, each.number, str(each.problem.kind), each.problem.message))
            continue
        recipient = next(ready)
        selected = _judge(each, recipient.variables, needed, is_garbled, mobile_only=mobile_only)
        rows.append(selected)
        if not selected.problem:
            contacts.append(NewContact(recipient.number, recipient.variables))
    _refuse_unknown_placeholders(people, needed)
    return Selection(people, rows, contacts)


def _names(text: str) -> list[str]:
    """Return the names between the braces of a message.

    Raises:
        UsageError: A brace belongs to no placeholder.
    """
    if re.search(r"[{}]", _PLACEHOLDER.sub("", text)):
        raise UsageError(
            "The message has a brace that belongs to no placeholder. Everybody would get it as it is. Write a "
            "placeholder as {name}, with one brace on each side."
        )
    return _PLACEHOLDER.findall(text)


def _never(_: str) -> bool:
    return False


def _judge(
    row: "InputRow", variables: Any, needed: Collection[str], is_garbled: Callable[[str], bool], *, mobile_only: bool
) -> SelectedRow:
    number = row.number
    if missing := [name for name in needed if is_blank(variables.get(name))]:
        reason = f"Row {row.row} has no value for {arguments.names_of(missing)}."
        return SelectedRow(row.row, number, NO_VALUE, reason)
    if illegible := [name for name in needed if is_garbled(str(variables[name]))]:
        reason = f"Row {row.row}: the value for {arguments.names_of(illegible)} {_LEGACY}"
        return SelectedRow(row.row, number, LEGACY_FONT, reason)
    if mobile_only:
        try:
            phone_number(number, "number", mobile_only=True)
        except InvalidNumberError as error:
            return SelectedRow(row.row, number, str(error.problem), f"Row {row.row}: {error}")
    return SelectedRow(row.row, number)


def _refuse_unknown_placeholders(people: RecipientList, needed: Collection[str]) -> None:
    """Refuse a message with a placeholder that no row can fill.

    Raises:
        UsageError: No column has the name of the placeholder.
    """
    if unknown := [name for name in needed if name not in people.variables]:
        columns = listed(people.variables) if people.variables else "none beside the phone numbers"
        raise UsageError(
            f"The message has a placeholder for {listed(unknown)}, and `recipients` has no such column. "
            f"Its columns are: {columns}."
        )
