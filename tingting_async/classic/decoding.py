"""The hooks of the classic API, for responses that the general hooks cannot decode."""

from typing import Any, cast

import attrs
from cattrs import Converter

from tingting_async.classic.models import Confirmation, Number, NumberAdded, RunStarted
from tingting_async.decoding.envelopes import collect_strings
from tingting_async.decoding.hooks import HookFactory, HookFunction, ModelHook


def _confirmation_hook(kind: Any, converter: Converter) -> HookFunction:
    """Return the hook of a confirmation. No form of its undocumented inner fields may hide the confirmation."""
    hook = ModelHook(kind, converter)

    def read(value: Any, _: Any) -> Any:
        if type(value) is not dict:
            return hook(value, kind)
        given = dict(cast("dict[str, Any]", value))
        message, errors, data = given.get("message"), given.get("errors"), given.get("data")
        if isinstance(message, list | dict):
            given["message"] = "; ".join(collect_strings(message)) or None
        if not isinstance(errors, list | None):
            given["errors"] = [errors] if errors else []
        if not isinstance(data, dict | None):
            given["data"] = {"data": data} if data else {}
        return hook(given, kind)

    return read


def _number_added_hook(_: Any, converter: Converter) -> HookFunction:
    """Return the hook of an added number. The documents do not print the response, so the number is searched for."""
    read_confirmation = converter.get_structure_hook(Confirmation)
    read_number = converter.get_structure_hook(Number)

    def read(value: Any, _: Any) -> NumberAdded:
        confirmation: Confirmation = read_confirmation(value, Confirmation)
        for place in (confirmation.data, *confirmation.data.values(), confirmation.extra):
            found = cast("Any", cast("list[Any]", place)[0] if isinstance(place, list) and place else place)
            if isinstance(found, dict) and {"id", "number"} <= cast("dict[str, Any]", found).keys():
                return NumberAdded(**attrs.asdict(confirmation, recurse=False), number=read_number(found, Number))
        return NumberAdded(**attrs.asdict(confirmation, recurse=False))

    return read


FACTORIES: dict[Any, HookFactory] = {
    Confirmation: _confirmation_hook,
    RunStarted: _confirmation_hook,
    NumberAdded: _number_added_hook,
}
