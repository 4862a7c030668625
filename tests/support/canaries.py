"""Calls of every operation, whose arguments are secrets and personal data that nothing may show."""

import inspect
import re
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import attrs

from tingting_async import File
from tingting_async.v1 import NewContact, NewStep

NUMBER = "9841234567"
CODE = "482917"
PASSWORD = "canary-पासवर्ड"
TOKEN = "canary-token-of-no-form"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl"
TEXT = f"canary of {NUMBER}"
SECRET = re.compile(
    rf"{NUMBER}|(?<!\w){CODE}(?!\w)|canary-token|canary-(पासवर्ड|\\u092a)|eyJ[\w-]{{10,}}\.|canary of \d"
)

ARGUMENTS: dict[str, Callable[[Path], Any]] = {
    "number": lambda _: NUMBER,
    "numbers": lambda _: [NUMBER, "9841234568"],
    "contacts": lambda _: [NewContact(NUMBER, {"name": TEXT})],
    "message": lambda _: TEXT + " {otp}",
    "sms_message": lambda _: TEXT,
    "name": lambda _: TEXT,
    "description": lambda _: TEXT,
    "company_name": lambda _: TEXT,
    "otp": lambda _: CODE,
    "channel": lambda _: "text",
    "services": lambda _: "SMS",
    "tags": lambda _: {"name": TEXT},
    "variables": lambda _: {"name": TEXT},
    "steps": lambda _: [NewStep(text_or_url=TEXT, input_name=NUMBER, response_type="dtmf")],
    "content": lambda _: [NewStep(text_or_url=TEXT, input_name=NUMBER)],
    "file": lambda _: File(f"{NUMBER}.csv", f"numbers\n{NUMBER}".encode()),
    "path": lambda folder: folder / f"{NUMBER}.csv",
    "sid": lambda _: f"PN{NUMBER}",
    "search": lambda _: TEXT,
    "voice": lambda _: 3,
    **dict.fromkeys(("id", "campaign_id", "survey_id", "template_id", "contact_id", "order"), lambda _: 1),
}
"""A value for each argument, by its name."""


@attrs.frozen
class Operation:
    """An operation of a session, with arguments that are canaries."""

    name: str
    method: Callable[..., Any]
    arguments: dict[str, Any]

    async def call(self, **others: Any) -> Any:
        """Execute the operation with its arguments; `others` replace some."""
        called = self.method(**{**self.arguments, **others})
        if hasattr(called, "collect"):
            return await called.collect()
        return await (anext(called) if hasattr(called, "__anext__") else called)


def operations(tingting: Any, folder: Path) -> Iterator[Operation]:
    """Yield every operation of a session's resources."""
    for attribute in (name for name in dir(type(tingting)) if not name.startswith("_")):
        if not isinstance(inspect.getattr_static(type(tingting), attribute), cached_property):
            continue
        resource = getattr(tingting, attribute)
        for name in (name for name in dir(type(resource)) if not name.startswith("_")):
            method = getattr(resource, name)
            if not callable(method):
                continue
            names = inspect.signature(method).parameters
            given = {each: ARGUMENTS[each](folder) for each in names if each in ARGUMENTS}
            if names.get("voice") is not None and ("otp" == attribute or "int" not in str(names["voice"].annotation)):
                del given["voice"]
            if "fields" in names:
                given |= dict.fromkeys(("message", "sms_message", "description")[: 2 + ("name" in names)], TEXT)
            if "poll_interval" in names:
                given["poll_interval"] = 0.001
            yield Operation(f"{attribute}.{name}", method, given)
