"""What is imported on first use."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from tingting_async.errors import NotSentError, TingTingError
from tingting_async.redaction import redact
from tingting_async.suggestions import nearest_name


@contextmanager
def loading(name: str, *, is_before_send: bool = True) -> Generator[None]:
    """Convert the error of an import on first use, for example with too many files open. Let our own errors pass.

    Args:
        name: What is imported, as users know it: a resource, an operation or a package.
        is_before_send: Whether `name` is a resource or an operation that has sent nothing yet. If not, something may
            have been sent before, so the error does not speak of it.

    Raises:
        NotSentError: A resource or an operation cannot be imported. A later use tries again.
        TingTingError: Something else cannot be imported.
    """
    try:
        yield
    except TingTingError:
        raise
    except Exception as error:  # An `AttributeError` would look as if a session had no such resource.
        what = f"`{name}` cannot be loaded ({type(error).__name__}: {redact(str(error))})"
        advice = (
            "Check the installation, how many files are open, and that no file of yours has the name of a module that "
            "is imported."
        )
        if not is_before_send:
            raise TingTingError(f"{what}. {advice}") from error
        raise NotSentError(f"{what}, so nothing was sent. {advice}", operation=name) from error


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
            public = [each for each in sorted({*namespace, *modules}) if not each.startswith("_")]
            near = None if name.startswith("_") else nearest_name(name, public)
            hint = f". Did you mean {near!r}?" if near else ""
            if not name.startswith("_") and _is_shared(name):
                hint = ". Import it from 'tingting_async'"
            # Without `obj`, so that a traceback does not add Python's own suggestion, which no log shows.
            raise AttributeError(f"module {namespace['__name__']!r} has no attribute {name!r}{hint}", name=name)
        value = namespace[name] = getattr(import_module(f"{__package__}.{modules[name]}"), name)
        return value

    return get, lambda: sorted({*namespace, *modules})


def _is_shared(name: str) -> bool:
    """Return whether both generations share what the package has under this name, such as an exception."""
    if name not in import_module("tingting_async").__all__:
        return False
    try:
        return name not in import_module("tingting_async.classic").__all__
    except Exception:  # noqa: BLE001 - e.g. no file can be opened; the error that asks must not be lost
        return False
