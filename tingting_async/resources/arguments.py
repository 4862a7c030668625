"""Arguments, checked before anything is sent, and encoded as the service expects them."""

import enum
import inspect
import itertools
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from os import PathLike
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import attrs

from tingting_async.decoding.fields import OpenEnum
from tingting_async.decoding.scalars import KATHMANDU
from tingting_async.errors import MisuseError, UsageError
from tingting_async.http.json import dumps
from tingting_async.http.messages import File
from tingting_async.persistence import run_in_thread
from tingting_async.quantities import is_count, shown
from tingting_async.recipients.numbers import NepaliNumber, phone_number
from tingting_async.recipients.row_checker import RowChecker
from tingting_async.recipients.texts import is_blank
from tingting_async.redaction import mask, redact, shorten
from tingting_async.resources.models import OtpChannel, OtpSource
from tingting_async.suggestions import suggest_name

FileLike = str | PathLike[str] | File
"""A path, or a `File` with the content in memory. The suffix says the media type; a `File` can have another."""


class Unchanged(enum.Enum):
    """The type of `UNCHANGED`.

    Attributes:
        UNCHANGED: Stands for an argument that is not given.
    """

    UNCHANGED = "unchanged"

    def __repr__(self) -> str:
        return self.name


UNCHANGED: Final = Unchanged.UNCHANGED
"""The default of the fields of an update: a field that is not given stays as it is. None clears a field."""

E = TypeVar("E", bound=OpenEnum)


def refuse_unknown(
    operation: str,
    given: Mapping[str, object],
    known: Collection[str],
    method: Callable[..., object],
    hints: Mapping[str, str] | None = None,
) -> None:
    """Refuse keyword arguments that an operation does not have.

    Args:
        operation: Its name, for the message.
        given: The keyword arguments that the signature collects under `**`.
        known: The names that are valid among them.
        method: The operation's method; the other names in its signature are suggested as well.
        hints: What to do instead of giving some unknown names, as sentences.

    Raises:
        MisuseError: One of them is unknown; the message suggests the nearest valid name. It is a `TypeError`.
    """
    for name in given:
        if name not in known:
            parameters = inspect.signature(method).parameters.values()
            names = sorted({*known, *(each.name for each in parameters if each.kind is not each.VAR_KEYWORD)})
            hint = (hints or {}).get(name) or suggest_name(name, names)
            raise MisuseError(f"{operation}() got an unexpected keyword argument {name!r}. {hint}")


def changed_fields(operation: str, **fields: Any) -> dict[str, Any]:
    """Return the fields that an update changes: those that are not `UNCHANGED`.

    Raises:
        UsageError: There are none.
    """
    changed = {name: value for name, value in fields.items() if value is not UNCHANGED}
    if not changed:
        *first, last = (f"`{name}`" for name in fields)
        raise UsageError(f"{operation}: give {', '.join(first)} or {last}: at least one field to change.")
    return changed


def given_fields(**fields: Any) -> dict[str, Any]:
    """Return the fields of a request's body or query that are not None, which stands for an argument not given."""
    return {name: value for name, value in fields.items() if value is not None}


def non_empty_text(value: str, name: str) -> str:
    """Return a string that shows something.

    Raises:
        UsageError: The value is not a string, is blank, or cannot be encoded.
    """
    if is_blank(text(value, name)):
        raise UsageError(f"`{name}` is empty: give a text that is not blank.")
    return value


def text(value: str, name: str) -> str:
    """Return a string, which may be empty.

    Raises:
        UsageError: The value is not a string, or cannot be encoded.
    """
    if not isinstance(value, str):
        raise UsageError(f"`{name}` must be a string, not {type(value).__name__}.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UsageError(f"`{name}` contains half a character (a lone surrogate), which cannot be sent.") from None
    return value


def identifier(value: int, name: str = "id") -> int:
    """Return an id, which becomes part of a path.

    Raises:
        UsageError: The value is not an id.
    """
    if type(value) is int and 0 <= value < _MOBILES[0].start:
        return value
    found = type(value).__name__
    if type(value) is int:
        if any(value in numbers for numbers in _MOBILES):
            raise UsageError(f"`{name}` is the phone number {mask(value)}: give an id, such as the contact's `id`.")
        if 0 <= value < 2**63:
            return value
        found = shown(value) if value < 0 else "a larger one than any id"
    raise UsageError(f"`{name}` must be an id of the service, an integer of 0 or more, not {found}.")


_MOBILES = range(9_700_000_000, 9_900_000_000), range(977_9_700_000_000, 977_9_900_000_000)
"""The numbers that are mobile numbers of Nepal, without and with the code of the country. No id is that high."""


def require_list(values: object, name: str, what: str) -> None:
    """Refuse a value that is not a list: the items of a text or of bytes are no items, and a mapping loses its values.

    Raises:
        UsageError: It is something else.
    """
    if isinstance(values, str | bytes | bytearray | memoryview | Mapping) or not isinstance(values, Iterable):
        raise UsageError(f"`{name}` must be a list of {what}, not {type(cast('object', values)).__name__}.")


def identifiers(values: Iterable[int], name: str) -> list[int]:
    """Return several ids.

    Raises:
        UsageError: There are none, one is not an id, or one is given twice: that may mean two calls.
    """
    require_list(values, name, "ids")
    found = [identifier(value, f"{name}[{index}]") for index, value in enumerate(values)]
    for value, count in Counter(found).items():
        if count > 1:
            raise UsageError(f"`{name}` contains {value} more than once: give each id once.")
    if not found:
        raise UsageError(f"`{name}` is empty.")
    return found


def enum_member(kind: type[E], value: E | str, name: str, *, among: Iterable[E] | None = None) -> E:
    """Return a documented value of an enum: enums are open for what is decoded, not for what is sent.

    Args:
        kind: The enum.
        value: A member or its text.
        name: The argument's name, for the message.
        among: The members that are valid here; None for all.

    Raises:
        UsageError: The value is not valid.
    """
    valid = list(kind if among is None else among)
    if isinstance(value, str):
        for member in valid:
            if member == value:
                return member
    given = shown(str(value) if isinstance(value, str) else value)
    raise UsageError(f"`{name}` is {given}; it must be one of {', '.join(repr(m.value) for m in valid)}.")


def at_least_one(number: object, operation: str, name: str) -> None:
    """Refuse a number that is not an integer from 1 up.

    Raises:
        UsageError: It is not.
    """
    if not is_count(number):
        raise UsageError(f"{operation}: `{name}` is {shown(number)}; it must be an integer of 1 or more.")


def aware_datetime(when: datetime, name: str) -> datetime:
    """Return a datetime in the service's local time.

    Raises:
        UsageError: The datetime is naive, or out of range.
    """
    if not isinstance(when, datetime):
        raise UsageError(f"`{name}` must be a datetime, not {type(when).__name__}.")
    if when.tzinfo is None or when.utcoffset() is None:
        raise UsageError(
            f"`{name}` has no time zone: give an aware datetime, such as "
            'datetime(…, tzinfo=ZoneInfo("Asia/Kathmandu")).'
        )
    try:
        return when.astimezone(KATHMANDU)
    except OverflowError:
        raise UsageError(f"`{name}` is out of the range of datetimes.") from None


def future(when: datetime, name: str, *, now: datetime | None = None) -> datetime:
    """Return a future datetime in the service's local time.

    Raises:
        UsageError: The datetime is naive, or past.
    """
    local = aware_datetime(when, name)
    if when < (now or datetime.now(UTC)) - timedelta(minutes=1):
        raise UsageError(f"`{name}` is in the past.")
    return local


def schedule(when: datetime, *, now: datetime | None = None) -> str:
    """Return a future datetime as the service's local time in whole minutes.

    Raises:
        UsageError: The datetime is naive, past, or not on a full minute.
    """
    local = future(when, "schedule", now=now)
    if local.second or local.microsecond:
        raise UsageError(
            "`schedule` has seconds, but the service has only minutes: use .replace(second=0, microsecond=0)."
        )
    return local.strftime("%Y-%m-%dT%H:%M")


def otp(
    number: str | int | NepaliNumber, message: str, channel: OtpChannel | str, *, otp: str | None, length: int | None
) -> dict[str, Any]:
    """Return the fields that both generations send for a one-time password.

    Raises:
        UsageError: The message lacks `{otp}`; the number is not valid, or is a landline that is to receive a text; the
            code or its length is not valid.
    """
    by = enum_member(OtpChannel, channel, "channel")
    if "{otp}" not in non_empty_text(message, "message"):
        raise UsageError("otp.send: `message` must contain {otp} in place of the code.")
    if otp is not None and length is not None:
        raise UsageError("otp.send: `length` is for a code that the service generates: give `otp` or `length`.")
    if otp is not None and not (isinstance(otp, str) and otp.isascii() and otp.isdigit()):
        raise UsageError("otp.send: `otp` must be a string of digits (a string, because it may begin with zeros).")
    if length is not None and not is_count(length):
        raise UsageError(f"otp.send: `length` is {shown(length)}; it must be a number of digits.")
    return given_fields(
        number=phone_number(number, mobile_only=by is OtpChannel.TEXT),
        message=collapse_whitespace(message) if by is OtpChannel.VOICE else message,
        sms_send_options=by.value,
        otp=otp,
        otp_options=None if otp is None else OtpSource.PERSONAL.value,
        otp_length=length,
    )


def collapse_whitespace(message: str) -> str:
    """Return a message with single spaces only: other white space upsets the service's speech synthesis."""
    return " ".join(message.split())


def mapping(value: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a mapping of names to values as a dictionary.

    Raises:
        UsageError: It is not a mapping, a name is not a string, or a value cannot be encoded as JSON. `problems` lists
            every such name.
    """
    given = dict(value) if isinstance(value, Mapping) else value
    encoded_mapping(given, name)
    return given


def encoded_mapping(value: Mapping[str, Any], name: str) -> bytes:
    """Return a mapping of names to values as JSON text.

    Raises:
        UsageError: As for `mapping`.
    """
    if not isinstance(value, Mapping):
        raise UsageError(f"`{name}` must be a mapping of names to values.")
    given = dict(value)
    if not given:  # Most contacts have none, and there may be a hundred thousand of them.
        return b"{}"
    try:
        return dumps(given)
    except (TypeError, ValueError, RecursionError):
        pass
    checker = RowChecker()
    for key, part in given.items():
        where = f"{name}[{repr(key)[:60]}]"
        if not isinstance(key, str):
            checker.refuse(
                (where, f"`{name}` must be a mapping of names to values, and {repr(key)[:60]} is not a string.")
            )
            continue
        try:
            dumps({key: part})
        except (TypeError, ValueError, RecursionError) as error:  # Their texts name types, never values.
            is_type = isinstance(error, TypeError)
            advice = "Convert it to a string or a number." if is_type else "Give a finite number or other text."
            said = f"`{where}` cannot be encoded as JSON: {error}. {advice}"
            checker.refuse((where, said))
    checker.finish()
    raise UsageError(f"`{name}` cannot be encoded as JSON: it is too large, or nested too deeply.")


def require_known_tags(names: Iterable[str], usable: Sequence[str] | None, name: str) -> None:
    """Refuse tags that a campaign does not have.

    Raises:
        UsageError: A tag is unknown; the message lists those that the campaign has.
    """
    # Sorted, and not put into sets: a table of 100,000 names is slow to fill, because each name goes to a random place.
    known = iter(sorted(usable or ()))
    next_known, unknown = next(known, None), dict[str, None]()
    for each in sorted(names):
        while next_known is not None and next_known < each:
            next_known = next(known, None)
        if next_known != each:
            unknown[each] = None
    if unknown:
        raise UsageError(
            f"`{name}` uses {names_of(unknown)}; the campaign's usable tags are: {names_of(usable or ()) or 'none'}."
        )


def names_of(names: Collection[str]) -> str:
    """Return the first names as a text for errors, with phone numbers masked: a name may be any text of a message."""
    shown = redact(", ".join(shorten(name, 100) for name in itertools.islice(names, 20)))
    return shown if len(names) <= 20 else f"{shown} and {len(names) - 20} more"


async def file(source: FileLike, name: str, *, suffixes: Sequence[str]) -> File:
    """Return a file's content, read without blocking the event loop.

    Raises:
        UsageError: The file cannot be read, is empty, has another suffix, or has a name, a media type or a content
            that cannot be sent.
    """
    if not isinstance(source, File | str | PathLike):
        raise UsageError(f"`{name}` must be a path or a File, not {type(source).__name__}.")
    if not isinstance(source, File):
        path = Path(source)
        try:
            source = File(path.name, await run_in_thread(lambda: path.expanduser().read_bytes()))
        except (OSError, ValueError, RuntimeError) as error:  # ValueError: a null character. RuntimeError: no home.
            reason = error.strerror if isinstance(error, OSError) else error
            if isinstance(error, OSError):
                error.filename = None  # Our text names it, with phone numbers masked.
            raise UsageError(f"`{name}` cannot be read: {reason} ({redact(str(path))!r}).") from error
    for what, text in (("file name", source.name), ("content type", source.content_type)):
        if not isinstance(text, str) or any(unicodedata.category(each) in ("Cc", "Cs") for each in text):
            raise UsageError(
                f"`{name}` has the {what} {redact(repr(text))}; it must be text, and no control characters."
            )
    if not source.name.lower().endswith(tuple(suffixes)):
        raise UsageError(f"`{name}` is {redact(source.name)!r}; the service accepts {' or '.join(suffixes)}.")
    content: Any = source.content
    if not isinstance(content, bytes | bytearray | memoryview):
        raise UsageError(
            f"`{name}` ({redact(source.name)!r}) has the content of a {type(content).__name__}; it must be bytes, such "
            "as `text.encode()` of a string."
        )
    if not (content := bytes(cast("bytes", content))):
        raise UsageError(f"`{name}` ({redact(source.name)!r}) is empty.")
    return source if content is source.content else attrs.evolve(source, content=content)


async def audio(source: FileLike, name: str) -> File:
    """Return the content of an audio file; see `file`."""
    return await file(source, name, suffixes=(".mp3", ".wav", ".ogg", ".m4a", ".aac", ".flac"))
