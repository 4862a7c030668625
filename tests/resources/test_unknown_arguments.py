"""Calls that do not fit the signature of an operation."""

import asyncio
import inspect
from typing import Any

import pytest

import tingting_async
from tingting_async import v1
from tingting_async.resources.base import Resource


@pytest.mark.parametrize("session", [tingting_async.TingTing, v1.TingTing], ids=["classic", "v1"])
def test_every_operation(session: Any) -> None:
    """A call that does not fit an operation is a TypeError that names it as all errors do, and the valid arguments."""
    tingting = session(api_token="t")
    seen = 0

    async def call(operation: Any, *positional: Any, **named: Any) -> None:
        if inspect.isawaitable(result := operation(*positional, **named)):
            await result

    for resource, value in [(name, getattr(tingting, name)) for name in dir(tingting) if not name.startswith("_")]:
        for name in dir(value) if isinstance(value, Resource) else ():
            if name.startswith("_"):
                continue
            operation, seen = getattr(value, name), seen + 1
            parameters = inspect.signature(operation).parameters.values()
            missing = {
                each.name: 1 for each in parameters if each.default is each.empty and each.kind is not each.VAR_KEYWORD
            }
            with pytest.raises(TypeError) as caught:
                asyncio.run(call(operation, **missing, no_such_argument=1))
            said = f"{resource}.{name}() got an unexpected keyword argument 'no_such_argument'"
            assert said == str(caught.value)[: len(said)]
            assert not parameters or ". It accepts " in str(caught.value)
            with pytest.raises(TypeError, match=rf"^{resource}\.{name}\(\) takes .* positional argument"):
                asyncio.run(call(operation, *range(20)))
    assert seen >= 20
