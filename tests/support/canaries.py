"""Calls of every operation, whose arguments are secrets and personal data that nothing may show."""

import inspect
import re
import typing
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import attrs

from tingting_async import File
from tingting_async.resources.arguments import Unchanged
from tingting_async.v1 import NewContact, NewStep

NUMBER = "9841234567"
CODE = "482917"
PASSWORD = "canary-पासवर्ड"
TOKEN = "canary-token-of-no-form"
COOKIE = "canary-cookie-of-no-form"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl"
TEXT = f"canary of {NUMBER}"
SECRET = re.compile(
    rf"{NUMBER}|(?<!\w){CODE}(?!\w)|canary-(token|cookie)|canary-(पासवर्ड|\\u092a|%E0%A4%AA)|eyJ[\w-]{{10,}}\."
    rf"|canary of \d|{'[ -]?'.join(NUMBER)}|(?<!\w){' '.join(CODE)}(?!\w)|९८४१२३४५६७"
)

ARGUMENTS: dict[str, Callable[[Path], Any]] = {
    "number": lambda _: NUMBER,
    "numbers": lambda _: [NUMBER, "9841234568"],
    "contacts": lambda _: [NewContact(NUMBER, {"name": TEXT, "otp": CODE})],
    "message": lambda _: f"{TEXT} {{otp}} {{{TEXT}}}",
    "otp": lambda _: CODE,
    "channel": lambda _: "text",
    "services": lambda _: "SMS",
    "tags": lambda _: {"name": TEXT, "otp": CODE, TEXT: TEXT},
    "variables": lambda _: {"name": TEXT, "otp": CODE, TEXT: TEXT},
    "steps": lambda folder: [
        NewStep(text_or_url=TEXT, input_name=NUMBER, response_type="dtmf"),
        NewStep(content_type="play", audio_file=ARGUMENTS["audio_file"](folder)),
    ],
    "content": lambda _: [NewStep(text_or_url=TEXT, input_name=NUMBER)],
    "file": lambda _: File(f"{NUMBER}.csv", f"numbers\n{NUMBER}".encode()),
    "audio_file": lambda _: File(f"{NUMBER}.mp3", TEXT.encode()),
    "path": lambda folder: folder / f"{NUMBER}.csv",
    "sid": lambda _: f"PN{NUMBER}",
    "voice": lambda _: 3,
    "on_problem": lambda _: "skip",
    "poll_interval": lambda _: 0.001,
    **dict.fromkeys(("id", "campaign_id", "survey_id", "template_id", "contact_id"), lambda _: 1),
}
"""A value for each argument, by its name. Any other text is `TEXT`."""

NOT_GIVEN = frozenset({"idempotency_key", "timeout", "options", "until", "status", "length"})
"""Arguments that the operations do not need, and that hold no personal data; or that need a ledger."""

ALTERNATIVES = (("numbers", "file"), ("message", "audio_file"))
"""Arguments of which an operation takes either."""


@attrs.frozen
class Operation:
    """An operation of a session, with arguments that are canaries."""

    name: str
    method: Callable[..., Any]
    arguments: dict[str, Any]

    @property
    def takes_key(self) -> bool:
        """Whether a ledger records it under an `idempotency_key`."""
        return "idempotency_key" in inspect.signature(self.method).parameters

    @property
    def is_long(self) -> bool:
        """Whether its own limits are longer than those of the session."""
        return "download" in self.name or self.name in ("reports.rows", "surveys.answers")

    async def call(self, **others: Any) -> Any:
        """Execute the operation with its arguments; `others` replace some."""
        called = self.method(**{**self.arguments, **others})
        if hasattr(called, "collect"):
            return await called.collect()
        return await (anext(called) if hasattr(called, "__anext__") else called)


def operations(tingting: Any, folder: Path, known: Mapping[str, Any] | None = None) -> Iterator[Operation]:
    """Yield every operation of a session's resources.

    Args:
        tingting: The session.
        folder: Where files are written.
        known: Other values than those of `ARGUMENTS`, by the argument's name, or as `"campaigns.id"`.
    """
    for attribute in (name for name in dir(type(tingting)) if not name.startswith("_")):
        if not isinstance(inspect.getattr_static(type(tingting), attribute), cached_property):
            continue
        resource = getattr(tingting, attribute)
        for name in (name for name in dir(type(resource)) if not name.startswith("_")):
            method = getattr(resource, name)
            if not callable(method):
                continue
            given = arguments_of(f"{attribute}.{name}", method, folder)
            for each, value in (known or {}).items():
                where, _, argument = each.rpartition(".")
                if argument in given and where in ("", attribute):
                    given[argument] = value
            left_out = [either for either in ALTERNATIVES if given.keys() >= set(either)]
            for other in left_out[0] if left_out else ("",):
                chosen = {each: value for each, value in given.items() if each != other}
                yield Operation(f"{attribute}.{name}", method, chosen)


def arguments_of(operation: str, method: Callable[..., Any], folder: Path) -> dict[str, Any]:
    """Return a value for each argument of an operation that can hold a secret, and for each that it needs."""
    parameters = inspect.signature(method).parameters
    hints: dict[str, Any] = {name: each.annotation for name, each in parameters.items()}
    if "fields" in parameters:  # `Unpack` of a TypedDict.
        hints |= typing.get_type_hints(typing.get_args(hints.pop("fields"))[0])
    given: dict[str, Any] = {}
    for name, hint in hints.items():
        kinds = set(typing.get_args(hint)) or {hint}
        if name in NOT_GIVEN or (name == "voice" and int not in kinds):
            continue
        if name == "numbers" and "str" not in str(hint):  # Ids of numbers.
            continue
        if name == "progress":
            given[name] = next(each for each in kinds if each is not type(None))()
        elif name in ARGUMENTS:
            given[name] = ARGUMENTS[name](folder)
        elif str in kinds and kinds <= {str, type(None), Unchanged}:
            given[name] = TEXT
        else:
            is_needed = name in parameters and parameters[name].default is inspect.Parameter.empty
            assert not is_needed, f"{operation} needs `{name}`: give it a value in ARGUMENTS."
    return given
