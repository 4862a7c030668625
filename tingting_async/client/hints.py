"""Attribute errors that say where a name is."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from tingting_async.suggestions import nearest_name


class Hinting:
    """An object that says where to find the names that a similar object has, and this one has not."""

    _elsewhere: ClassVar[Mapping[str, str]] = {}
    """Where each of those names is, as a sentence."""

    if not TYPE_CHECKING:  # A type checker reports an unknown attribute itself.

        def __getattr__(self, name: str) -> Any:
            """Raise an `AttributeError` with a hint; Python calls this for names that are not found."""
            text = f"{type(self).__name__!r} object has no attribute {name!r}"
            names = [each for each in dir(type(self)) if not each.startswith("_")]
            if hint := self._elsewhere.get(name):
                text = f"{text}. {hint}"
            elif name in names:
                text = f"{text}: computing it raised an AttributeError"
            elif not name.startswith("_"):
                near = nearest_name(name, names)
                text = f"{text}. Did you mean {near!r}?" if near else f"{text}. It has {', '.join(names)}."
            # Without `obj`, so that a traceback does not add Python's own suggestion, which no log shows.
            raise AttributeError(text, name=name)
