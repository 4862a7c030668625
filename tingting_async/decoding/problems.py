"""Where a payload does not fit its model, told by the wire's own names."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from cattrs import ClassValidationError
from cattrs.errors import AttributeValidationNote
from cattrs.v import transform_error

from tingting_async.decoding.scalars import InvalidValueError

Hook = Callable[[Any, Any], Any]


def problems(error: Exception, root: str) -> list[tuple[str, str]]:
    """Return every path that a detailed pass could not read, with what is wrong there."""
    found = [line.rpartition(" @ ") for line in transform_error(error, root, _describe)]
    return [(where.removeprefix("."), what) for what, _, where in found]


def with_wire_names(names: Mapping[str, str], hook: Hook) -> Hook:
    """Return a detailed hook whose failures name the wire's fields, and not the attributes that hold them.

    Args:
        names: The wire's name, or the path to it, by the name that `hook` tells.
        hook: What reads a model.
    """

    def read(value: Any, kind: Any) -> Any:
        try:
            return hook(value, kind)
        except ClassValidationError as error:
            for part in error.exceptions:
                for note in cast("list[object]", getattr(part, "__notes__", [])):
                    if isinstance(note, AttributeValidationNote):
                        note.name = names.get(note.name, note.name)
            raise

    return read


def _describe(error: BaseException, _: object) -> str:
    # The hooks name types and never values; any other error may quote what it met.
    if isinstance(error, KeyError):
        return "missing"
    return str(error) if isinstance(error, InvalidValueError) else type(error).__name__
