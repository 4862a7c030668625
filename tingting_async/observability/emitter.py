"""Emits events to the listeners of a session, and writes them to the log `tingting_async`.

An event holds the fields of its class and nothing else: no text of the service, no query, no header and no body. So
nothing that is made from events, such as logs, counters and spans, can show a secret.
"""

import functools
import inspect
import itertools
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import attrs

from tingting_async.errors import UsageError
from tingting_async.http.messages import Request, Response
from tingting_async.redaction import redact

if TYPE_CHECKING:
    from tingting_async.observability.events import Listener, RequestEvent

_log = logging.getLogger("tingting_async")
_log.addHandler(logging.NullHandler())
_numbers = itertools.count(1)


def is_callback(function: object) -> bool:
    """Return whether a call runs something. A call of something async, or of a generator function, runs nothing."""
    while isinstance(function, functools.partial):
        function = function.func
    kinds = (inspect.iscoroutinefunction, inspect.isasyncgenfunction, inspect.isgeneratorfunction)
    either = (function, getattr(type(function), "__call__", None))  # noqa: B004 - looks at the kind of callable
    return callable(function) and not any(is_kind(each) for is_kind in kinds for each in either)


class EventEmitter:
    """Emits the events of a session.

    Args:
        service: The base URL of the session.
    """

    def __init__(self, service: str) -> None:
        self.listeners: list[Listener] = []
        self._service = service

    def subscribe(self, listener: "Listener") -> Callable[[], None]:
        """Add a listener.

        Returns:
            A function that removes it.

        Raises:
            UsageError: The listener is not a function, or is a coroutine function, which would not be awaited.
        """
        if not callable(listener):
            raise UsageError(
                f"subscribe: `listener` must be a function that takes an event, not {type(listener).__name__}."
            )
        if not is_callback(listener):
            raise UsageError("subscribe: `listener` is called and not awaited. Pass a function that is not `async`.")
        entry = functools.partial(listener)  # A listener may be added twice; each subscription ends separately.
        self.listeners.append(entry)

        def unsubscribe() -> None:
            if entry in self.listeners:
                self.listeners.remove(entry)

        return unsubscribe

    def observe(self, request: Request[Any]) -> "CallObserver | None":
        """Return an observer for a call; None if there are no listeners and no log, which costs almost nothing."""
        if not self.listeners and not _log.isEnabledFor(logging.DEBUG):
            return None
        return CallObserver(self, self._service, request)

    def observe_retry(self, request: Request[Any]) -> "CallObserver":
        """Return an observer for a call whose first attempt failed unobserved, to log its retries."""
        return CallObserver(self, self._service, request, attempt=1)

    def emit(self, event: "RequestEvent", level: int, what: str) -> None:
        """Log an event and call the listeners; if one of them or the log fails, the request continues.

        Args:
            event: The event. The record of the log has its fields as the attribute `tingting`.
            level: The level at which it is logged.
            what: What happened, for the log; empty for an event that is not logged.
        """
        with suppress(Exception):  # Log filters and handlers may raise; the request may have been carried out.
            if what and _log.isEnabledFor(level):
                fields = {"tingting": {**attrs.asdict(event), "effect": event.effect.value}}  # JSON has no enums.
                _log.log(level, "%s: %s %s: %s", event.operation, event.method, event.path, what, extra=fields)
        for listener in (*self.listeners,):
            try:
                listener(event)
            except Exception as error:  # noqa: BLE001 - a listener may raise anything
                with suppress(Exception):
                    _log.error("A listener raised %s for an event of %s.", type(error).__name__, event.operation)


class CallObserver:
    """Emits the events of one call."""

    def __init__(self, emitter: EventEmitter, service: str, request: Request[Any], *, attempt: int = 0) -> None:
        from tingting_async.observability import events  # noqa: PLC0415 - few sessions are observed

        self._emitter = emitter
        self._events = events
        self.attempt: int = attempt
        self._common: dict[str, Any] = {
            "call_id": next(_numbers),
            "operation": request.operation,
            "method": request.method,
            "service": service,
            "path": redact(request.path),
            "effect": request.effect,
        }

    def _emit(self, kind: "type[RequestEvent]", what: str = "", level: int = logging.DEBUG, **details: Any) -> None:
        self._emitter.emit(kind(attempt=self.attempt, **self._common, **details), level, what)

    def started(self) -> None:
        """Emit that an attempt starts."""
        self.attempt += 1
        self._emit(self._events.RequestStarted)

    def received(self, response: Response, seconds: float) -> None:
        """Emit that a response was received."""
        what = f"{response.status} in {seconds:.3f} s"
        kind, size = self._events.ResponseReceived, len(response.body)
        self._emit(kind, what, status=response.status, duration=round(seconds, 6), size=size)

    def failed(self, error: BaseException, seconds: float) -> None:
        """Emit that the attempt failed without a response."""
        name, phase = type(error).__name__, getattr(error, "phase", "")
        what = f"{name} in {seconds:.3f} s {phase}".rstrip()
        self._emit(self._events.RequestFailed, what, error=name, phase=phase, duration=round(seconds, 6))

    def retried(self, error: BaseException, delay: float) -> None:
        """Emit that another attempt is about to start."""
        name, attempt = type(error).__name__, self.attempt + 1
        event = self._events.RequestRetried(attempt=attempt, error=name, delay=round(delay, 6), **self._common)
        self._emitter.emit(event, logging.INFO, f"attempt {attempt}, {delay:.3g} s after {name}")
