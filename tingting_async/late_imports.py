"""Names of a package that are imported on first use."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def late_names(
    namespace: dict[str, Any], names: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the `__getattr__` and the `__dir__` of a package some of whose names are imported on first use.

    Args:
        namespace: The `globals()` of the package.
        names: The names that each module has, with spaces between them. The modules are named from `tingting_async` on.
    """
    modules = {name: module for module, listed in names.items() for name in listed.split()}

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {namespace['__name__']!r} has no attribute {name!r}")
        value = namespace[name] = getattr(import_module(f"{__package__}.{modules[name]}"), name)
        return value

    return get, lambda: sorted({*namespace, *modules})
