"""Attribute errors that say where a name is."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar


class Hinting:
    """An object that says where to find the names that a similar object has, and this one has not."""

    _elsewhere: ClassVar[Mapping[str, str]] = {}
    """Where each of those names is, as a sentence."""

    if not TYPE_CHECKING:  # A type checker reports an unknown attribute itself.

        def __getattr__(self, name: str) -> Any:
            """Raise an `AttributeError` with a hint; Python calls this for names that are not found."""
            text = f"{type(self).__name__!r} object has no attribute {name!r}. {self._elsewhere.get(name, '')}"
            raise AttributeError(text.rstrip(), name=name, obj=self)
