"""How the classic API's answers are read."""

from typing import Any, cast

import attrs
from cattrs import Converter

from tingting_async.classic.models import Confirmation, Number, NumberAdded, RunStarted
from tingting_async.decoding.envelopes import collect_strings
from tingting_async.decoding.hooks import HookFactory, model_hook
from tingting_async.decoding.problems import Hook


def _confirmation_hook(kind: Any, converter: Converter) -> Hook:
    """Return the hook for what confirms: the inner shapes are not documented, and must not hide that it was done."""
    hook = model_hook(kind, converter)

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


def _number_added_hook(_: Any, converter: Converter) -> Hook:
    """Return the hook for the answer to an added number, which the documents do not print: the number is looked for."""
    read_confirmation = converter.get_structure_hook(Confirmation)
    read_number = converter.get_structure_hook(Number)

    def read(value: Any, _: Any) -> NumberAdded:
        said: Confirmation = read_confirmation(value, Confirmation)
        for place in (said.data, *said.data.values(), said.extra):
            found = cast("Any", cast("list[Any]", place)[0] if isinstance(place, list) and place else place)
            if isinstance(found, dict) and {"id", "number"} <= cast("dict[str, Any]", found).keys():
                return NumberAdded(**attrs.asdict(said, recurse=False), number=read_number(found, Number))
        return NumberAdded(**attrs.asdict(said, recurse=False))

    return read


FACTORIES: dict[Any, HookFactory] = {
    Confirmation: _confirmation_hook,
    RunStarted: _confirmation_hook,
    NumberAdded: _number_added_hook,
}
