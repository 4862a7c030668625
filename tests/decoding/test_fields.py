"""Models mask phone numbers and tokens in their reprs, and can be hashed."""

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, get_args, get_origin

import attrs
import pytest
from support.canaries import JWT, NUMBER

import tingting_async
from tingting_async.decoding.fields import OpenEnum
from tingting_async.redaction import repr_text

FREE_TEXT = f"Call {NUMBER} with {JWT}"
PLAIN: dict[Any, Any] = {
    int: 7,
    bool: True,
    float: 1.5,
    bytes: NUMBER.encode(),
    Decimal: Decimal("1.5"),
    datetime: datetime(2026, 1, 1, tzinfo=UTC),
    timedelta: timedelta(seconds=1),
}


OURS = {(name, str) for name in ("id", "service", "operation", "digest")}
"""Fields of the ledger's records that are neither of the service nor of the caller."""


def models() -> Iterator[type[Any]]:
    """Yield every attrs class of the package that users meet: models, arguments, and records of the ledger."""
    seen: set[type] = set()
    for info in pkgutil.walk_packages(tingting_async.__path__, "tingting_async."):
        if ".sandbox" in info.name or not re.search(r"\.(models|outcomes|messages|ledger)\b", info.name):
            continue
        for kind in vars(importlib.import_module(info.name)).values():
            is_model = isinstance(kind, type) and attrs.has(kind) and kind.__module__.startswith("tingting_async")
            if is_model and kind.__name__ not in ("Response", "Request") and kind not in seen:
                seen.add(kind)
                yield kind


def canary(kind: Any) -> Any:
    """Return a value of a type with a phone number and a token in each of its texts."""
    if get_origin(kind) is Callable:
        return canary
    if kind in PLAIN:
        return PLAIN[kind]
    if kind is Any:
        return {"text": [FREE_TEXT]}
    if isinstance(kind, type) and issubclass(kind, OpenEnum):
        return kind(FREE_TEXT)
    if isinstance(kind, type) and hasattr(kind, "__members__"):
        return next(iter(kind.__members__.values()))
    if isinstance(kind, type) and attrs.has(kind):
        return filled(kind)
    if get_origin(kind) in (tuple, frozenset):
        return get_origin(kind)([canary(get_args(kind)[0])])
    if "Mapping" in str(kind):
        return {NUMBER: FREE_TEXT}
    parts = [each for each in get_args(kind) if each is not type(None)]
    return FREE_TEXT if kind is str or not parts else canary(parts[0])


def filled(kind: type[Any]) -> Any:
    """Return a model whose every field is a canary."""
    given = {}
    for field in attrs.fields(kind):
        if field.init:
            given[field.alias] = "ours" if (field.name, field.type) in OURS else canary(field.type)
    return kind(**given)


@pytest.mark.parametrize("kind", sorted(models(), key=repr))
def test_every_field(kind: type[Any]) -> None:
    """No field of a model shows a phone number or a token in the model's repr."""
    shown = repr(filled(kind))
    assert NUMBER not in shown
    assert JWT not in shown


@pytest.mark.parametrize("kind", [each for each in sorted(models(), key=repr) if each.__eq__ is not object.__eq__])
def test_hash(kind: type[Any]) -> None:
    """Equal models have the same hash, whatever their fields hold. What compares by identity is no value."""
    assert hash(filled(kind)) == hash(filled(kind))


def test_ids_are_shown() -> None:
    """A repr shows ids of any length in full: they are numbers, not text."""
    campaign = tingting_async.Campaign(id=98412345678, name="", services=tingting_async.Services.SMS)
    assert "id=98412345678" in repr(campaign)


@pytest.mark.parametrize(
    "text",
    [
        "Set-Cookie: access=opaque-1; Path=/",
        "Cookie: refresh=opaque-1",
        "{'Set-Cookie': 'access=opaque-1; HttpOnly'}",
        "400, message:\n  Invalid header value char:\n\n    b'Set-Cookie: access=opaque-1\\x01'",
        "https://h/?token=opaque-1&x=1",
        "access=opaque-1",
    ],
)
def test_cookies(text: str) -> None:
    """A cookie or a token that a text quotes from a header or a query is masked, even if it has no known form."""
    assert "opaque-1" not in repr_text(text)
