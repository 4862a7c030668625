"""What happens to requests, for whoever wants to know: counters, logs, spans.

An event holds what is listed here and nothing else. No text of the service's, no query, no body, no header: whatever is
made of events shows no secret. The log under `tingting_async` is made of them too.
"""

import functools
import inspect
import itertools
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import attrs

from tingting_async.errors import UsageError
from tingting_async.http.messages import Request, Response
from tingting_async.observability.events import (
    Listener,
    RequestEvent,
    RequestFailed,
    RequestRetried,
    RequestStarted,
    ResponseReceived,
)
from tingting_async.redaction import redact

_log = logging.getLogger("tingting_async")
_log.addHandler(logging.NullHandler())
_numbers = itertools.count(1)


class EventEmitter:
    """Tells the listeners of a session, and its log."""

    def __init__(self, service: str) -> None:
        self.listeners: list[Listener] = []
        self._service = service

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tell this listener, too; the function that is returned ends it.

        Raises:
            UsageError: It is a coroutine function, which nobody would await.
        """
        if inspect.iscoroutinefunction(listener) or inspect.iscoroutinefunction(getattr(listener, "__call__", None)):  # noqa: B004 - not whether it can be called, but how
            raise UsageError("subscribe: a listener is called and not awaited: give a function that is not `async`.")
        entry = functools.partial(listener)  # The same one may come twice: each ends for itself.
        self.listeners.append(entry)

        def unsubscribe() -> None:
            if entry in self.listeners:
                self.listeners.remove(entry)

        return unsubscribe

    def observe(self, request: Request[Any]) -> "CallObserver | None":
        """Return what follows a call from its start; None where nobody looks, which costs next to nothing."""
        if not self.listeners and not _log.isEnabledFor(logging.DEBUG):
            return None
        return CallObserver(self, self._service, request)

    def observe_retry(self, request: Request[Any]) -> "CallObserver":
        """Return what follows a call of which the first attempt has failed with nobody looking: for the log."""
        watched = CallObserver(self, self._service, request)
        watched.attempt = 1
        return watched

    def emit(self, event: RequestEvent) -> None:
        """Tell everybody; a listener that fails changes nothing for the request, and no more does a log."""
        with suppress(Exception):  # Filters and handlers may raise, and what rings may have rung by now.
            _write(event)
        for listener in (*self.listeners,):
            try:
                listener(event)
            except Exception as error:  # noqa: BLE001 - it is the listener's
                with suppress(Exception):
                    _log.error("A listener failed with %s at %s.", type(error).__name__, event.operation)


class CallObserver:
    """A call that is followed."""

    def __init__(self, watch: EventEmitter, service: str, request: Request[Any]) -> None:
        self._watch = watch
        self.attempt = 0
        self._common: dict[str, Any] = {
            "call_id": next(_numbers),
            "operation": request.operation,
            "method": request.method,
            "service": service,
            "path": redact(request.path),
            "effect": request.effect,
        }

    def _tell(self, kind: type[RequestEvent], **details: Any) -> None:
        self._watch.emit(kind(attempt=self.attempt, **self._common, **details))

    def started(self) -> None:
        """Tell that an attempt begins."""
        self.attempt += 1
        self._tell(RequestStarted)

    def answered(self, response: Response, seconds: float) -> None:
        """Tell what came back."""
        self._tell(ResponseReceived, status=response.status, duration=round(seconds, 6), size=len(response.body))

    def failed(self, error: BaseException, seconds: float) -> None:
        """Tell that nothing came."""
        phase = getattr(error, "phase", "")
        self._tell(RequestFailed, error=type(error).__name__, phase=phase, duration=round(seconds, 6))

    def repeated(self, error: BaseException, pause: float) -> None:
        """Tell that another attempt is about to start."""
        name = type(error).__name__
        self._watch.emit(RequestRetried(attempt=self.attempt + 1, error=name, delay=round(pause, 6), **self._common))


def _write(event: RequestEvent) -> None:
    """Write an event to the log; structured logging finds its fields at the record's `tingting`."""
    level = logging.DEBUG
    if isinstance(event, RequestRetried):
        level, what = logging.INFO, f"attempt {event.attempt}, {event.delay:.3g} s after {event.error}"
    elif isinstance(event, ResponseReceived):
        what = f"{event.status} in {event.duration:.3f} s"
    elif isinstance(event, RequestFailed):
        what = f"{event.error} in {event.duration:.3f} s {event.phase}".rstrip()
    else:
        return
    if _log.isEnabledFor(level):
        fields = {"tingting": attrs.asdict(event)}
        _log.log(level, "%s: %s %s: %s", event.operation, event.method, event.path, what, extra=fields)
