"""A list's answers in one go: rows and envelope are read from the bytes together, while nothing about them is odd."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import attrs

from tingting_async.http.messages import PayloadPath, Response

if TYPE_CHECKING:
    from tingting_async.decoding.fast.codegen import FastDecoder

_MOST_NAMES = 32
_TELLING = frozenset({"success", "status", "error", "errors"})
"""With one of these in it, an answer has to be judged."""
_HEAD = re.compile(rb'\s*(?:\[|\{\s*"[^"\\]*")')
"""How an answer begins: an object with its first name."""


@attrs.frozen
class _EnvelopeShape:
    """What good answers look like."""

    head: bytes
    path: PayloadPath
    """Where the rows lie."""
    beside: tuple[frozenset[str], ...]
    """The names beside each step of the path."""

    @property
    def is_plain(self) -> bool:
        """Whether an answer of this form is a success, whatever is in it."""
        return sum(map(len, self.beside)) <= _MOST_NAMES and not (self.beside and self.beside[0] & _TELLING)

    def joined(self, other: "_EnvelopeShape") -> "_EnvelopeShape":
        """Return the form that has the names of both."""
        if other.path != self.path:
            return self
        beside = tuple(ours | theirs for ours, theirs in zip(self.beside, other.beside, strict=True))
        return attrs.evolve(self, beside=beside)


class PageDecoder:
    """The quick look at the answers of a list.

    Their form is learnt from the first one. An answer that begins in the same way is not looked at before its turn
    comes, as it is cheaper to let bytes wait than what is made of them; one of another form, a failure for one, is left
    to those who look with care.

    Args:
        rows: Returns the quick way to read the rows, or None where there is none.
    """

    def __init__(self, rows: "Callable[[], FastDecoder | None]") -> None:
        self._rows = rows
        self._form: _EnvelopeShape | None = None
        self._quick: FastDecoder | None = None
        self._read: Callable[[bytes], tuple[list[Any], dict[str, Any]]] | None = None

    def begins_well(self, response: Response) -> bool:
        """Tell whether it can wait to be judged until it is read."""
        form = self._form
        return form is not None and response.status == 200 and response.body.startswith(form.head)

    def read(self, response: Response) -> tuple[list[Any], dict[str, Any]] | None:
        """Return the rows, and what stands beside them; None unless all of it is as it always was."""
        if self._read is None or response.status != 200:
            return None
        try:
            return self._read(response.body)
        except Exception:  # noqa: BLE001 - whatever it was, those who look with care say it better
            return None

    def learn(self, response: Response, body: Any, path: PayloadPath) -> None:
        """Note the form of a good answer that was looked at with care."""
        head, rows = _HEAD.match(response.body), self._rows()
        beside = tuple(frozenset(level) - {step} for level, step in zip(levels(body, path), path, strict=True))
        if head is None or rows is None:
            return
        form = _EnvelopeShape(head[0], path, beside)
        if self._form is not None:
            form = form.joined(self._form)
        if form.is_plain and (form != self._form or rows is not self._quick):
            with suppress(ValueError):  # Of msgspec, for a name that it takes for no field's.
                self._form, self._quick, self._read = form, rows, _reading(form, rows)


def _reading(form: _EnvelopeShape, rows: "FastDecoder") -> "Callable[[bytes], tuple[list[Any], dict[str, Any]]]":
    """Return what reads answers of a form; it raises ValueError for others, and whatever the models' hooks raise."""
    from msgspec import UNSET, defstruct  # noqa: PLC0415 - with the first answer, not before
    from msgspec.json import Decoder  # noqa: PLC0415

    shape: Any = rows.shape
    fill = rows.fill
    names = [[(f"beside{index}", name) for index, name in enumerate(sorted(beside))] for beside in form.beside]
    for step, beside in reversed([*zip(form.path, names, strict=True)]):
        fields: list[Any] = [("inner", shape), *((attribute, Any, UNSET) for attribute, _ in beside)]
        keys = {"inner": str(step), **dict(beside)}
        around: Any = defstruct("Around", fields, rename=keys, forbid_unknown_fields=True, kw_only=True, gc=False)
        shape = around
    decode: Callable[[bytes], Any] = Decoder(shape).decode

    def read(body: bytes) -> tuple[list[Any], dict[str, Any]]:
        level = decode(body)
        found: dict[str, Any] = {}
        for beside in names:
            for attribute, name in beside:
                value = getattr(level, attribute)
                if value is not UNSET:
                    found.setdefault(name, value)
            level = level.inner
        return fill(level), found

    return read


def levels(body: Any, path: PayloadPath) -> Iterator[Mapping[str, Any]]:
    """Yield the objects on the way to what lies at `path`."""
    for step in path:
        yield body
        body = body[step]
