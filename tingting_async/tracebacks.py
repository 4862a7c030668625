"""Keeps the frames of the library out of tracebacks, because their local variables hold secrets.

Error trackers collect the local variables of every frame of a traceback: here tokens, passwords and phone numbers, in
frames of the library, of aiohttp and of asyncio. So an error that leaves a function that users call has no frame below
that function, neither in its own traceback nor in those of its causes and contexts.
"""

import asyncio
import functools
import inspect
import sys
import traceback
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from tingting_async.suggestions import suggest_name

P = ParamSpec("P")
R = TypeVar("R")

_PACKAGE = __name__.partition(".")[0]


def cut_traceback(error: BaseException, handled: BaseException | None) -> None:
    """Remove the frames from an error that is about to leave the library, and from the errors behind it.

    Args:
        error: The error.
        handled: The error that the caller was handling when it called the library, from `sys.exception()`. It is the
            caller's own, and stays as it is.
    """
    rest: list[BaseException | None] = [error]
    seen = {id(handled)}
    while rest:
        each = rest.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        frames = each.__traceback__
        is_explained = isinstance(each, asyncio.CancelledError) or type(each).__module__.startswith(_PACKAGE)
        if isinstance(each, Exception) and not is_explained and frames is not None and frames.tb_next is not None:
            # The error of a token store, or a bug. Its text alone does not say where it was raised.
            each.add_note("It was raised here:\n" + "".join(traceback.format_tb(frames)).rstrip())
        each.__traceback__ = None
        if each.__suppress_context__:  # It may quote an argument, as a UnicodeEncodeError does.
            each.__context__ = None
        rest += [each.__cause__, each.__context__]
        if isinstance(each, BaseExceptionGroup):
            rest += cast("BaseExceptionGroup[BaseException]", each).exceptions


def _suggest_argument(error: BaseException, function: Callable[..., Any]) -> None:
    """Add the nearest name, or else all names, to Python's error for an argument that a function does not have."""
    called = error.__traceback__ is not None and error.__traceback__.tb_next is not None
    _, found, rest = str(error).partition("unexpected keyword argument '")
    if not isinstance(error, TypeError) or called or not found or "Did you mean" in rest:
        return
    names = [name for name in inspect.signature(function).parameters if name not in ("self", "cls")]
    if names:
        unknown = rest.partition("'")[0]
        error.args = (f"{error}. {suggest_name(unknown, names)}",)


def short_traceback(function: Callable[P, R]) -> Callable[P, R]:
    """Cut the tracebacks of a function's or coroutine function's errors; the frame that remains has no arguments."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        handled = sys.exception()
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            del args, kwargs
            _suggest_argument(error, function)
            cut_traceback(error, handled)
            raise

    @functools.wraps(function)
    async def call_async(*args: P.args, **kwargs: P.kwargs) -> Any:
        handled = sys.exception()
        try:
            return await cast("Callable[P, Any]", function)(*args, **kwargs)
        except BaseException as error:
            del args, kwargs
            _suggest_argument(error, function)
            cut_traceback(error, handled)
            raise

    return cast("Callable[P, R]", call_async) if inspect.iscoroutinefunction(function) else call
