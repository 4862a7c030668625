"""Answers to models, by way of `convert`, which is imported with the first answer and not before."""

import functools
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from tingting_async.decoding import api_errors, envelopes
from tingting_async.decoding.fast.pages import PageDecoder, levels
from tingting_async.decoding.payload import decode, excerpt, extract, format_path
from tingting_async.errors import DecodeError
from tingting_async.http.messages import Effect, PayloadPath, Request, Response

if TYPE_CHECKING:
    from cattrs import Converter

    from tingting_async.decoding.hooks import HookFactory

T = TypeVar("T")

_MOST_UNKNOWN = 32


class Decoder:
    """Reads payloads into models: the fast pass, and on failure the detailed one.

    Args:
        hooks: The module whose `FACTORIES` make a generation's own hooks, by type; imported with the first answer.
    """

    def __init__(self, hooks: str | None = None) -> None:
        self._hooks = hooks
        self._glances: dict[Any, PageDecoder] = {}
        self._unknown: dict[type, frozenset[str]] = {}

    @functools.cached_property
    def _fast(self) -> "Converter":
        return self._make(detailed=False)

    @functools.cached_property
    def _detailed(self) -> "Converter":
        return self._make(detailed=True)

    def _make(self, *, detailed: bool) -> "Converter":
        from tingting_async.decoding.hooks import make_converter  # noqa: PLC0415 - cattrs, and the hooks

        factories: Mapping[Any, HookFactory] = {} if self._hooks is None else import_module(self._hooks).FACTORIES
        return make_converter(detailed=detailed, factories=factories, unknown=self._unknown)

    def glance(self, model: type[list[Any]], payload: PayloadPath) -> PageDecoder:
        """Return the quick look at the answers of a list; one for all walks over such lists."""
        key = (model, payload)
        if key not in self._glances:
            self._glances[key] = PageDecoder(lambda: getattr(self._fast.get_structure_hook(model), "quick", None))
        return self._glances[key]

    def read_rows(
        self,
        request: Request[list[T]],
        response: Response,
        *,
        lie: Callable[[Any], PayloadPath] | None = None,
    ) -> tuple[list[T], dict[str, Any]]:
        """Read the rows of a list, and what stands beside them on every level of the answer.

        Of two that are called the same, the outer one counts.

        Args:
            request: What was asked.
            response: What came.
            lie: Says of what came where the rows lie; None for where the request says.

        Raises:
            DecodeError: They do not fit, or are not there.
            ApiError: It is no success.
        """
        if request.glance is not None and (seen := request.glance.read(response)) is not None:
            return seen
        if (refusal := api_errors.error_from_response(request, response)) is not None:  # It began as a good one does.
            raise refusal
        body = decode(request, response, whole=True)
        path = request.payload if lie is None else lie(body)
        rows = self.read(request, response, extract(request, response, body, path), request.model, path)
        # A field that came with one page comes with all of them: from now on the quick way takes it as well.
        news = [self._learn(row) for row in rows]
        if any(news):
            self.__dict__.pop("_fast", None)
        if request.glance is not None:
            request.glance.learn(response, body, path)
        beside: dict[str, Any] = {}
        for level, step in zip(levels(body, path), path, strict=True):
            beside = {**{name: value for name, value in level.items() if name != step}, **beside}
        return rows, beside

    def _learn(self, value: object) -> bool:
        """Note the names that no field of a model takes; tell whether there are new ones."""
        kind = type(value)
        if not attrs.has(kind):
            return False
        known = self._unknown.get(kind, frozenset())
        names = {
            name for name in getattr(value, "extra", ()) if name.isascii() and name.replace("-", "_").isidentifier()
        }
        is_new = not names <= known and len(known | names) <= _MOST_UNKNOWN  # Some may be made up, row by row.
        if is_new:
            self._unknown[kind] = known | names
        news = [self._learn(getattr(value, field.name)) for field in attrs.fields(kind)]
        return is_new or any(news)

    def read(self, request: Request[Any], response: Response, payload: Any, model: type[T], path: PayloadPath) -> T:
        """Read what was found at `path` of an answer into a model.

        Raises:
            DecodeError: It does not fit; `path` and `problems` say where.
        """
        with suppress(Exception):  # Whatever it was, the detailed pass says it better, and without what it quoted.
            return self._fast.structure(payload, model)
        return self._explain(request, response, payload, model, format_path(path))

    def _explain(self, request: Request[Any], response: Response, payload: Any, model: type[T], root: str) -> T:
        from tingting_async.decoding.problems import problems  # noqa: PLC0415 - cattrs again

        try:
            return self._detailed.structure(payload, model)
        except Exception as error:  # noqa: BLE001 - a payload of the service must not raise anything but ours
            found = problems(error, root)
        shown = excerpt(request, response)
        raise DecodeError(
            f"{request.operation}: the answer to {request.method} {request.path} does not fit its model: "
            f"{'; '.join(f'`{where}`: {what}' for where, what in found[:3])}"
            f"{f' and {len(found) - 3} more' if len(found) > 3 else ''}. It began with {shown!r}",
            path=found[0][0],
            problems=tuple(found),
            excerpt=shown,
            body=response.body,
            status=response.status,
            operation=request.operation,
        )


def read_payload(reader: Decoder, request: Request[T], response: Response) -> T:
    """Read an answer that holds one thing.

    Raises:
        DecodeError: It does not fit, or says of something to be done neither that it was done nor that it was not.
    """
    result = reader.read(request, response, decode(request, response), request.model, request.payload)
    if request.effect in _TO_BE_CONFIRMED and response.body and not _is_confirmed(response, result):
        shown = excerpt(request, response)
        raise DecodeError(
            f"{request.operation}: the answer to {request.method} {request.path} does not say that it was done: "
            f"{shown!r}",
            excerpt=shown,
            body=response.body,
            status=response.status,
            operation=request.operation,
        )
    return result


def _is_confirmed(response: Response, result: object) -> bool:
    try:
        body = response.json()
    except ValueError:
        body = None  # A text, where the documents do not print the answer.
    return getattr(result, "is_confirmed", True) and not envelopes.is_ambiguous(body)


_TO_BE_CONFIRMED = frozenset({Effect.CREATE, Effect.SEND, Effect.REVOKE})
