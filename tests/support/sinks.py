"""Everything that can show what a session does: logs, events, spans, warnings, reprs, error texts and tracebacks."""

import asyncio
import gc
import logging
import re
import traceback
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Self

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from support.frames import chain, frame_locals, shown

from tingting_async import TingTingError
from tingting_async.observability.opentelemetry import OpenTelemetryListener


class _Records(logging.Handler):
    """Keeps what a log shows of each record: its text, its other fields, and the traceback of its error."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts += [f"{record.name}: {record.getMessage()}", repr(vars(record))]
        if record.exc_info and record.exc_info[1] is not None:
            self.texts += [*traceback.format_exception(record.exc_info[1]), *frame_locals(record.exc_info[1])]


class Sinks:
    """Collects what is shown while it is entered, of sessions that it watches and of errors and results.

    All loggers log everything. With `debug`, the event loop is in its debug mode, and logs each callback.
    """

    def __init__(self, *, debug: bool = False) -> None:
        self._debug = debug
        self._records = _Records()
        self._exporter = InMemorySpanExporter()
        self._events: list[str] = []
        self._texts: dict[str, list[str]] = {}
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        for name in (None, *logging.root.manager.loggerDict):
            logger = logging.getLogger(name)
            self._undo.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.DEBUG)
        logging.root.addHandler(self._records)
        self._undo.callback(logging.root.removeHandler, self._records)
        self._warnings = self._undo.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("always")
        loop = asyncio.get_running_loop()
        self._undo.callback(loop.set_debug, loop.get_debug())
        loop.set_debug(self._debug)
        if self._debug:
            self._undo.callback(setattr, loop, "slow_callback_duration", loop.slow_callback_duration)
            loop.slow_callback_duration = 0
        return self

    def __exit__(self, *_: object) -> None:
        gc.collect()  # Tasks and futures whose errors nobody has retrieved log them.
        self._undo.close()

    def watch(self, tingting: Any) -> None:
        """Subscribe listeners to a session."""
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        tingting.subscribe(lambda event: self._events.append(f"{event!r} {event}"))
        tingting.subscribe(OpenTelemetryListener(provider))

    def add(self, sink: str, *texts: str) -> None:
        """Add texts that were shown."""
        self._texts.setdefault(sink, []).extend(texts)

    def add_result(self, result: Any) -> None:
        """Add what a result shows: its repr, and those of its parts."""
        # A plain mapping holds data of the caller: the answers of a survey, or the variables of a contact.
        if not isinstance(result, dict) and not (isinstance(result, list) and any(isinstance(r, dict) for r in result)):
            self.add("repr", *shown(result), str(result))

    def add_error(self, error: BaseException) -> None:
        """Add what an error shows: its text and its traceback, with the local variables as trackers collect them."""
        for each in chain(error):
            self.add("error", str(each), repr(each), *getattr(each, "__notes__", ()))
            if not isinstance(each, TingTingError):  # The attributes of a TingTingError hold what the service sent.
                self.add("error", *shown(vars(each)))
        self.add("error", *traceback.format_exception(error), *(getattr(error, "excerpt", ""),))
        self.add("local variable", *frame_locals(error))

    def everything(self) -> Iterator[tuple[str, str]]:
        """Yield each text, with the name of its sink."""
        sinks = {
            **self._texts,
            "event": self._events,
            "span": [span.to_json(indent=None) for span in self._exporter.get_finished_spans()],
            "log": self._records.texts,
            "warning": [str(each.message) for each in self._warnings],
        }
        for sink, texts in sinks.items():
            yield from ((sink, text) for text in texts)

    def leaks(self, secret: re.Pattern[str]) -> set[str]:
        """Return the lines that show a secret, with the names of their sinks."""
        return {
            f"{sink}: {line[:500]}"
            for sink, text in self.everything()
            if secret.search(text)
            for line in text.splitlines()
            if secret.search(line)
        }
