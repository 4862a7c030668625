"""The hooks of the v1 API, for responses that the general hooks cannot decode."""

import functools
import re
from datetime import datetime
from typing import Any, cast

import attrs
from cattrs import Converter

from tingting_async.decoding.envelopes import collect_strings
from tingting_async.decoding.hooks import Hook, HookFactory, HookFunction, ModelHook, with_wire_names
from tingting_async.decoding.payload import InvalidValueError
from tingting_async.decoding.scalars import KATHMANDU, MAX_TEXT, find_datetime, read_int
from tingting_async.v1.models.accounts import User, Voice
from tingting_async.v1.models.campaigns import RunStarted
from tingting_async.v1.models.common import Confirmation, DisplayDatetime
from tingting_async.v1.models.contacts import Contact, ContactAdded, ContactsAdded, ContactsCounted, ContactsResponse
from tingting_async.v1.models.surveys import TemplateApplied

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DISPLAYED = re.compile(
    r"([A-Za-z]{3})[a-z]*\.? (\d{1,2}), (\d{4}),? (?:(\d{1,2})(?::(\d\d))? ([AaPp])\.?[Mm]\.?|(noon|midnight))"
)


def read_display_datetime(value: Any, _: Any = None) -> datetime:
    """Decode a datetime: ISO 8601, or as the service displays it, in Nepal's time: "Jan. 27, 2026, 05:19 PM"."""
    # The displayed form is exact to the minute, so the contacts of a list share few values. Only those are cached.
    is_displayed = type(value) is str and not value[:1].isdigit()
    when = _find_displayed(value) if is_displayed else find_datetime(value)
    if when is None:
        raise InvalidValueError(value, "an ISO 8601 datetime")
    return when


@functools.lru_cache(maxsize=1024)
def _find_displayed(text: str) -> datetime | None:
    if len(text) > MAX_TEXT:
        raise InvalidValueError(text, "an ISO 8601 datetime")
    # Not by `strptime`, whose names of months depend on the locale of the machine.
    match = _DISPLAYED.fullmatch(text)
    if match is None:
        return None
    month, day, year, hour, minute, half, named = match.groups()
    hours, is_afternoon = int(hour or 0), (half or "").lower() == "p"
    if hours > (23 if is_afternoon else 12):  # "17:19 PM" has one possible meaning; "17:19 AM" has none.
        return None
    of_day = {"noon": 12, "midnight": 0}.get(named or "", hours % 12 + 12 * is_afternoon)
    try:
        return datetime(
            int(year), _MONTHS.index(month.lower()) + 1, int(day), of_day, int(minute or 0), tzinfo=KATHMANDU
        )
    except ValueError:
        return None


def _user_hook(kind: Any, converter: Converter) -> HookFunction:
    """Return the hook of a profile, whose names are in an inner object (sample v1_user_profile.json)."""
    hook = ModelHook(kind, converter)
    lifted = ("first_name", "last_name", "username", "email")
    nested = with_wire_names({name: f"user.{name}" for name in lifted}, hook)

    def read(value: Any, _: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("user"), dict):  # pyright: ignore[reportUnknownMemberType]
            given = cast("dict[str, Any]", value)
            person: dict[str, Any] = given["user"]
            rest = {name: part for name, part in person.items() if name not in lifted}
            given = {**given, **{name: person[name] for name in lifted if name in person}, "user": rest}
            if not rest:
                del given["user"]
            return nested(given, kind)
        return hook(value, kind)

    return read


def _confirmation_hook(kind: Any, converter: Converter) -> HookFunction:
    """Return the hook of a confirmation. No form of the message may hide the confirmation."""
    hook = ModelHook(kind, converter)

    def read(value: Any, _: Any) -> Any:
        given = cast("dict[str, Any]", value)
        if type(value) is dict and isinstance(given.get("message"), list | dict):
            given = {**given, "message": "; ".join(collect_strings(given["message"])) or None}
        return hook(given, kind)

    return read


def _contact_added_hook(kind: Any, converter: Converter) -> HookFunction:
    """Return the hook of an added contact: a message in the documents, the contact in the vendor's own client.

    The same path adds many contacts, so that the response may also be of that form.
    """
    hook, read_contact = _confirmation_hook(kind, converter), converter.get_structure_hook(Contact)

    def read(value: Any, _: Any) -> Any:
        if type(value) is dict:
            given = cast("dict[str, Any]", value)
            if "id" in given:
                return ContactAdded(contact=read_contact(given, Contact))
            for name in ("contacts", "contact", "data"):
                found = cast("list[Any]", part) if isinstance(part := given.get(name), list) else [part]
                if len(found) == 1 and type(contact := found[0]) is dict and "id" in contact:
                    added: ContactAdded = hook({key: each for key, each in given.items() if key != name}, kind)
                    return attrs.evolve(added, contact=read_contact(contact, Contact))
        return hook(value, kind)

    return read


def _contacts_added_hook(kind: Any, converter: Converter) -> HookFunction:
    """Return the hook of added contacts. How errors name their row is not documented (sample v1_add_contacts.json)."""
    hook = ModelHook(ContactsResponse, converter)

    def read(value: Any, _: Any) -> Any:
        if type(value) is not dict:
            raise InvalidValueError(value, "an object")
        given = cast("dict[str, Any]", value)
        silent = {"errors", *(["skipped"] if given.get("skipped") is None else [])}
        if kind is ContactsCounted:
            silent.add("contacts")
        made: Any = hook({name: part for name, part in given.items() if name not in silent}, ContactsResponse)
        by_row, other = _by_row(given.get("errors"))
        fields: dict[str, Any] = {**attrs.asdict(made, recurse=False), "errors": by_row, "other_errors": other}
        if kind is ContactsCounted and made.created and (made.skipped or other):
            fields["numbers"] = _numbers(given.get("contacts"))
        return kind(**fields)

    return read


def _numbers(contacts: Any) -> tuple[str, ...]:
    """Return the numbers of contacts that are not decoded."""
    rows = cast("list[Any]", contacts) if isinstance(contacts, list) else []
    return tuple(str(cast("dict[str, Any]", row).get("number")) for row in rows if isinstance(row, dict))


def _by_row(errors: Any) -> tuple[dict[int, str], tuple[Any, ...]]:
    """Return the errors by row, and the errors that name no row."""
    by_row: dict[int, list[str]] = {}
    other: list[Any] = []
    for each in cast("list[Any]", errors if isinstance(errors, list) else [] if errors is None else [errors]):
        place = cast("dict[str, Any]", each) if isinstance(each, dict) else {}
        row = next((place[name] for name in ("row", "index") if type(place.get(name)) is int), None)
        if row is None:
            other.append(each)
        else:
            text = str(place.get("error") or place.get("errors") or place.get("message") or "refused")
            by_row.setdefault(row, []).append(text)
    return {row: "; ".join(texts) for row, texts in by_row.items()}, tuple(other)


_SCHEDULED = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2}) at (\d{1,2}):(\d{2})(?::(\d{2}))?")


def _run_hook(kind: Any, converter: Converter) -> HookFunction:
    """Return the hook of a run, whose schedule is in Bikram Sambat (sample v1_run_campaign_scheduled.json)."""
    # Not in `read`: both read files, and could fail after the campaign was started.
    from importlib.metadata import version  # noqa: PLC0415

    import nepali_datetime  # noqa: PLC0415

    table = f"nepali-datetime {version('nepali-datetime')}"
    hook = _confirmation_hook(kind, converter)

    def read(value: Any, _: Any) -> Any:
        started: RunStarted = hook(value, kind)
        match = _SCHEDULED.search(started.text)
        when = None if match is None else _from_bikram_sambat(match, nepali_datetime)
        return started if when is None else attrs.evolve(started, scheduled_for=when, converted_by=table)

    return read


def _from_bikram_sambat(match: re.Match[str], calendar: Any) -> datetime | None:
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
    if year < datetime.now(KATHMANDU).year + 30:
        return None  # Bikram Sambat is 57 years ahead. This is another calendar; the message is kept.
    try:
        date: Any = calendar.date(year, month, day).to_datetime_date()
        return datetime(date.year, date.month, date.day, hour, minute, second, tzinfo=KATHMANDU)
    except (ValueError, OverflowError):
        return None  # The message is kept.


def _template_applied_hook(kind: Any, converter: Converter) -> HookFunction:
    """Return the hook of an applied template: `created` and `errors` if only some steps were created (207)."""
    hook = _confirmation_hook(kind, converter)
    partly = with_wire_names({"steps": "created"}, hook)

    def read(value: Any, _: Any) -> Any:
        if type(value) is dict and "created" in value:
            given = cast("dict[str, Any]", value)
            given = {**{name: part for name, part in given.items() if name != "created"}, "steps": given["created"]}
            return partly(given, kind)
        return hook(value, kind)

    return read


FACTORIES: dict[Any, HookFactory] = {
    Confirmation: _confirmation_hook,
    DisplayDatetime: lambda _, __: Hook(read_display_datetime, usual=datetime),
    User: _user_hook,
    # A voice is an object in lists, and an id elsewhere (samples v1_campaigns.json, v1_campaign_details.json).
    Voice: lambda kind, converter: ModelHook(kind, converter, otherwise=lambda value: Voice(id=read_int(value))),
    # The duration of a contact has two names (samples v1_contacts.json, v1_add_contacts.json).
    Contact: lambda kind, converter: ModelHook(kind, converter, aliases={"duration": "call_duration"}),
    ContactAdded: _contact_added_hook,
    ContactsAdded: _contacts_added_hook,
    ContactsCounted: _contacts_added_hook,
    RunStarted: _run_hook,
    TemplateApplied: _template_applied_hook,
}
