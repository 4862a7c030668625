"""Turns responses into results.

Each response is judged once, then decoded by the strict hooks, or by the fast path if its result is certain to be the
same.

The converters are made with the first response, so that importing the package imports neither cattrs nor msgspec.
Nothing about a response is remembered.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

import attrs

from tingting_async.decoding import api_errors
from tingting_async.decoding.envelopes import FAILURE_FIELDS, PageEnvelope, is_ambiguous
from tingting_async.decoding.payload import InvalidValueError, PayloadError, extract, parse
from tingting_async.errors import ApiError, DecodeError, NotSentError
from tingting_async.http.messages import Effect, PayloadPath, Request, Response, T, decode_error, format_path
from tingting_async.redaction import shorten

if TYPE_CHECKING:
    from cattrs import Converter

    from tingting_async.decoding.fast.pages import FastPath

_REHEARSAL = tuple(
    Response(status, body=b'{"success": %s, "detail": "", "errors": [{}]}' % success)
    for status, success in ((200, b"true"), (200, b"false"), (400, b"false"))
)
"""Responses that load what judging, decoding, and explaining a failure need."""

_MUST_CONFIRM = frozenset({Effect.CREATE, Effect.SEND, Effect.REVOKE})


class ResponseFormat:
    """How one generation of the API writes its responses; what is compiled from that is shared by all sessions.

    Args:
        hooks: The module whose `FACTORIES` make the generation's own hooks, by type.
        envelope: How pages are written; None if there is no documented form.
    """

    def __init__(self, hooks: str | None = None, envelope: PageEnvelope | None = None) -> None:
        self._hooks = hooks
        self.envelope = envelope

    @cached_property
    def strict(self) -> "Converter":
        """The converter with the strict hooks."""
        from tingting_async.decoding.hooks import make_converter  # noqa: PLC0415 - it imports cattrs

        return make_converter({} if self._hooks is None else import_module(self._hooks).FACTORIES)

    @cached_property
    def fast(self) -> "FastPath | None":
        """The fast path; None if it is not installed."""
        if find_spec("tingting_async.decoding.fast") is None:
            return None
        from tingting_async.decoding.fast.pages import FastPath  # noqa: PLC0415 - it imports msgspec

        return FastPath(self.strict, self.envelope)


class Decoder:
    """Judges and decodes the responses of a session.

    Args:
        response_format: How the generation of the API writes its responses.
        secrets: Returns the texts that no error may show; called only for an error of an authenticated request.
    """

    def __init__(
        self, response_format: ResponseFormat | None = None, secrets: Callable[[], tuple[str, ...]] = tuple
    ) -> None:
        self._format = response_format or ResponseFormat()
        self._secrets = secrets
        self._prepared: set[Any] = set()

    def prepare(self, request: Request[Any]) -> None:
        """Load everything that decoding the response to a request needs, before the request is sent.

        Afterwards, a module may be missing, or no file descriptor be left to load it.

        Raises:
            NotSentError: A module cannot be loaded.
        """
        if request.model in self._prepared:
            return
        rehearsed = attrs.evolve(request, authenticate=False)  # There may be no tokens yet.
        try:
            for response in _REHEARSAL:
                self.judge(rehearsed, response)
                with suppress(DecodeError):
                    self.decode_value(rehearsed, response, response.json(), request.model, ())
        except Exception as error:
            raise NotSentError(
                f"{request.operation}: nothing was sent, because what reads the response cannot be loaded "
                f"({type(error).__name__}). Check the installation, and how many files are open.",
                operation=request.operation,
                method=request.method,
                path=request.path,
            ) from error
        self._prepared.add(request.model)

    def judge(self, request: Request[Any], response: Response) -> ApiError | None:
        """Return the error that a response reports, or None for a success.

        Raises:
            DecodeError: Judging failed, e.g. for lack of memory.
        """
        try:
            status = api_errors.error_status(response)
            if status is None:
                return None
            return api_errors.error_from_response(self._with_secrets(request), response, status)
        except Exception as error:  # noqa: BLE001 - a response must not raise anything but our own errors
            failure = _failure(request, response, error)
        raise failure

    def decode(self, request: Request[T], response: Response) -> T:
        """Decode a response with a single result.

        Raises:
            DecodeError: The payload does not fit, or the response to a change does not confirm the change.
        """
        try:
            payload = self.payload(request, response)
            if not response.body.strip():  # The operation accepts this, and the status alone says that it was done.
                payload = {**payload, "status": 204}
            result = self.decode_value(request, response, payload, request.model, request.payload)
            is_confirmed = request.effect not in _MUST_CONFIRM or not response.body or _is_confirmed(response, result)
        except DecodeError:
            raise
        except Exception as error:  # noqa: BLE001 - as in `judge`
            failure = _failure(request, response, error)
        else:
            if is_confirmed:
                return result
            failure = self.error(request, response, "does not confirm that it was done")
        raise failure

    def decode_rows(self, request: Request[list[T]], response: Response) -> tuple[list[T], dict[str, Any]]:
        """Decode the rows of a list, and return them with the fields beside them, at every level of the response.

        If two levels have a field of the same name, the outer one is returned.

        Raises:
            ApiError: The response reports a failure.
            DecodeError: The rows do not fit, or are missing.
        """
        fast, page = self._format.fast, None
        if fast is not None:
            try:  # noqa: SIM105 - every page comes this way, and `suppress` is slower
                page = fast.page_decoders[request.model, request.payload](response.body)
            except Exception:  # noqa: BLE001, S110 - the strict hooks decide, and find the error
                pass
        # A page of the declared form has no other fields, so it is a success unless one of these is declared.
        may_be_failure = page is None or not page[1].keys().isdisjoint(FAILURE_FIELDS)
        if may_be_failure and (error := self.judge(request, response)) is not None:
            raise error
        if page is not None:
            return page
        body = self.payload(request, response, ())
        path, envelope = request.payload, self._format.envelope
        if envelope is not None and envelope.is_page(body, path):
            path = envelope.path(path)
        rows = self.decode_value(request, response, self.payload(request, response, path), request.model, path)
        beside: dict[str, Any] = {}
        for depth, step in enumerate(path):
            level: dict[str, Any] = extract(body, path[:depth])
            beside = {**{name: value for name, value in level.items() if name != step}, **beside}
        return rows, beside

    def decode_value(
        self, request: Request[Any], response: Response, value: Any, model: type[T], path: PayloadPath
    ) -> T:
        """Decode a part of a response into a model.

        Args:
            request: The request.
            response: The response.
            value: The part, as a JSON value.
            model: The type to decode it into.
            path: The path of the part in the response, for errors.

        Raises:
            DecodeError: The value does not fit; `path` and `problems` say where.
        """
        if self._format.fast is not None:
            with suppress(Exception):  # The strict hooks decide, and their errors do not quote the value.
                return cast("T", self._format.fast.decode(value, model))
        try:
            return self._format.strict.structure(value, model)
        except Exception as error:  # noqa: BLE001 - a response must not raise anything but our own errors
            found = _problems(error, format_path(path))
        shown = "; ".join(f"`{shorten(where, 200)}`: {what}" for where, what in found[:3])
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise self.error(request, response, f"does not fit its model ({shown}{more})", problems=found)

    def payload(self, request: Request[Any], response: Response, path: PayloadPath | None = None) -> Any:
        """Return the part of a response at `path`, as a JSON value; by default, the payload.

        Raises:
            DecodeError: The response is not JSON, or the part is missing.
        """
        try:
            return extract(parse(request, response), request.payload if path is None else path)
        except PayloadError as error:
            raise self.error(request, response, error.what, error.path) from None

    def error(
        self,
        request: Request[Any],
        response: Response,
        what: str,
        path: PayloadPath = (),
        problems: tuple[tuple[str, str], ...] = (),
    ) -> DecodeError:
        """Return the error for a response that cannot be decoded, as `decode_error`, without the session's secrets."""
        return decode_error(self._with_secrets(request), response, what, path, problems)

    def _with_secrets(self, request: Request[Any]) -> Request[Any]:
        return attrs.evolve(request, secrets=request.secrets + self._secrets()) if request.authenticate else request


def _failure(request: Request[Any], response: Response, error: Exception) -> DecodeError:
    """Return the error for a response that could not be decoded for a reason of this machine, such as its memory."""
    # Nothing is made of the body, which could fail in the same way.
    text = f"{request.operation}: {type(error).__name__} while the response to {request.method} was decoded."
    return DecodeError(text, body=response.body, status=response.status, operation=request.operation)


def _is_confirmed(response: Response, result: object) -> bool:
    try:
        body = response.json()
    except ValueError:
        body = None  # Plain text, which some operations accept.
    return getattr(result, "is_confirmed", True) and not is_ambiguous(body)


def _problems(error: Exception, root: str) -> tuple[tuple[str, str], ...]:
    """Return every path that a strict hook refused, and what is wrong there."""
    from cattrs.v import transform_error  # noqa: PLC0415 - with the first error

    found = [line.rpartition(" @ ") for line in transform_error(error, root, _describe)]
    return tuple((where.removeprefix("."), what) for what, _, where in found)


def _describe(error: BaseException, _: object) -> str:
    # The hooks' own errors name types and never values; any other error may quote the value.
    if isinstance(error, KeyError):
        return "missing"
    return str(error) if isinstance(error, InvalidValueError) else type(error).__name__
