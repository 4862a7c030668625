"""Input as the service wants it, or a refusal before anything is sent."""

import difflib
import inspect
import re
import string
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from os import PathLike
from typing import Any, TypeVar

import anyio

from tingting_async.decoding.fields import OpenEnum
from tingting_async.decoding.scalars import KATHMANDU
from tingting_async.errors import UsageError
from tingting_async.http.messages import File
from tingting_async.resources.phone_numbers import phone_number

FileLike = str | PathLike[str] | File
"""A path, or a `File` with the content at hand."""

AUDIO_SUFFIXES = (".mp3", ".wav", ".ogg", ".m4a", ".aac", ".flac")
"""The audio files that the service accepts."""

E = TypeVar("E", bound=OpenEnum)


def refuse_unknown(
    operation: str, given: Mapping[str, object], known: Collection[str], method: Callable[..., object]
) -> None:
    """Refuse keyword arguments that an operation does not have.

    Args:
        operation: Its name, for the message.
        given: The keyword arguments that the signature collects under `**`.
        known: The names that are valid among them.
        method: The operation's method; the other names in its signature are suggested as well.

    Raises:
        TypeError: One of them is unknown; the message suggests the nearest valid name.
    """
    unknown = next((name for name in given if name not in known), None)
    if unknown is None:
        return
    signature = inspect.signature(method).parameters.values()
    names = sorted({*known, *(each.name for each in signature if each.kind is not each.VAR_KEYWORD)})
    near = difflib.get_close_matches(unknown, names, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"It accepts {', '.join(names)}."
    raise TypeError(f"{operation}() got an unexpected keyword argument {unknown!r}. {hint}")


def non_empty_text(value: str, name: str) -> str:
    """Return a text that says something."""
    if not isinstance(value, str):
        raise UsageError(f"`{name}` has to be a text, not {type(value).__name__}.")
    if not value.strip():
        raise UsageError(f"`{name}` is empty.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UsageError(f"`{name}` holds half a character (a lone surrogate), which cannot be sent.") from None
    return value


def identifier(value: int, name: str = "id") -> int:
    """Return an id, which becomes part of a path."""
    if type(value) is not int or not 0 <= value < 2**63:
        raise UsageError(f"`{name}` has to be a number of the service's, an integer from 0 up.")
    return value


def identifiers(values: Iterable[int], name: str) -> list[int]:
    """Return several ids; none at all, and one that comes twice, are refused: twice may be two calls."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise UsageError(f"`{name}` has to be a list of ids, not one {type(values).__name__}.")
    found = [identifier(value, f"{name}[{index}]") for index, value in enumerate(values)]
    if len(set(found)) < len(found):
        twice = next(value for value in found if found.count(value) > 1)
        raise UsageError(f"`{name}` holds {twice} more than once: give each id once.")
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
    if not isinstance(value, str) or value not in valid:
        raise UsageError(f"`{name}` is {str(value)!r}; it must be one of {', '.join(repr(m.value) for m in valid)}.")
    return kind(value)


def aware_datetime(when: datetime, name: str) -> datetime:
    """Return an instant in the service's local time.

    Raises:
        UsageError: It is naive: nobody can tell which instant it is.
    """
    if not isinstance(when, datetime):
        raise UsageError(f"`{name}` has to be a datetime, not {type(when).__name__}.")
    if when.tzinfo is None or when.utcoffset() is None:
        raise UsageError(
            f"`{name}` has no time zone, so nobody can tell which instant it is: give an aware datetime, such as "
            'datetime(…, tzinfo=ZoneInfo("Asia/Kathmandu")).'
        )
    try:
        return when.astimezone(KATHMANDU)
    except OverflowError:
        raise UsageError(f"`{name}` lies beyond what a calendar holds.") from None


def future(when: datetime, name: str, *, now: datetime | None = None) -> datetime:
    """Return an instant that is still to come, in the service's local time.

    Raises:
        UsageError: It is naive, or past.
    """
    local = aware_datetime(when, name)
    if when < (now or datetime.now(UTC)) - timedelta(minutes=1):
        raise UsageError(f"`{name}` has passed already.")
    return local


def schedule(when: datetime, *, now: datetime | None = None) -> str:
    """Return an instant as the service's local time in whole minutes.

    Raises:
        UsageError: It is naive, past, or not on a full minute: it would not be that instant any more.
    """
    local = future(when, "schedule", now=now)
    if local.second or local.microsecond:
        raise UsageError("`schedule` has seconds, and the service only minutes: .replace(second=0, microsecond=0).")
    return local.strftime("%Y-%m-%dT%H:%M")


def otp(number: str | int, message: str, *, otp: str | None, length: int | None, is_spoken: bool) -> dict[str, Any]:
    """Return what both generations send for a one-time password.

    Raises:
        UsageError: The message lacks `{otp}`; the number is none; the code or its length make no sense.
    """
    if "{otp}" not in non_empty_text(message, "message"):
        raise UsageError("otp.send: `message` has to hold {otp}, where the code goes.")
    if otp is not None and length is not None:
        raise UsageError("otp.send: `length` is for codes that the service makes up; `otp` has its own.")
    if otp is not None and not (isinstance(otp, str) and otp.isascii() and otp.isdigit()):
        raise UsageError("otp.send: `otp` has to be a text of digits (a text, as it may begin with zeros).")
    if length is not None and (type(length) is not int or length < 1):
        raise UsageError(f"otp.send: `length` is {length!r}; it has to be a number of digits.")
    fields: dict[str, Any] = {
        "number": phone_number(number),
        "message": collapse_whitespace(message) if is_spoken else message,
    }
    if otp is not None:
        fields["otp"] = otp
    if length is not None:
        fields["otp_length"] = length
    return fields


def collapse_whitespace(message: str) -> str:
    """Return a message fit for speech: line breaks, doubled and no-break spaces have upset the synthesis."""
    return " ".join(message.split())


def placeholders(message: str) -> set[str]:
    """Return the names of a message's `{placeholders}`."""
    try:
        return {name for _, name, _, _ in string.Formatter().parse(message) if name}
    except ValueError:
        return set(re.findall(r"\{([^{}]+)\}", message))


def mapping(value: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return names with what they stand for."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise UsageError(f"`{name}` has to be a mapping of names to values.")
    return dict(value)


def require_known_tags(names: Iterable[str], usable: Sequence[str] | None, name: str) -> None:
    """Refuse tags that a campaign does not have.

    Raises:
        UsageError: With those that it does have.
    """
    unknown = sorted(set(names) - set(usable or ()))
    if unknown:
        has = ", ".join(usable) if usable else "none"
        raise UsageError(f"`{name}` uses {', '.join(unknown)}; the campaign's usable tags are: {has}.")


async def file(source: FileLike, name: str, *, suffixes: Sequence[str], content_type: str) -> File:
    """Return a file's content, read without holding up the event loop.

    Raises:
        UsageError: It cannot be read, is empty, or is of another kind.
    """
    if not isinstance(source, File | str | PathLike):
        raise UsageError(f"`{name}` has to be a path or a File, not {type(source).__name__}.")
    if not isinstance(source, File):
        path = anyio.Path(source)
        try:
            source = File(path.name, await path.read_bytes(), content_type)
        except (OSError, ValueError) as error:  # A path may hold what no system's paths do.
            why = error.strerror if isinstance(error, OSError) else error
            raise UsageError(f"`{name}` cannot be read: {why} ({str(path)!r}).") from error
    if not source.name.lower().endswith(tuple(suffixes)):
        raise UsageError(f"`{name}` is {source.name!r}; the service takes {' or '.join(suffixes)}.")
    if not source.content:
        raise UsageError(f"`{name}` ({source.name!r}) is empty.")
    return source
