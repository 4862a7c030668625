"""The calls of `add_many` of both generations: their arguments are checked, and the rows are added."""

from collections.abc import AsyncIterable, Iterable, Mapping
from typing import Any, Literal, TypeVar

from tingting_async.client.core import Core
from tingting_async.errors import UsageError
from tingting_async.late_imports import loading
from tingting_async.ledger.expected import expected_send
from tingting_async.observability.emitter import is_callback
from tingting_async.quantities import is_count, shown
from tingting_async.resources.add_progress import BaseAddProgress, OnProgress
from tingting_async.resources.additions import Addition, Endpoint
from tingting_async.resources.base import TimeoutLike
from tingting_async.resources.given_rows import GivenContacts

OnProblem = Literal["raise", "skip"]
"""What happens to rows with a problem: the call is refused, or they are left out and reported."""

P = TypeVar("P", bound=BaseAddProgress[Any])


async def add_many(
    core: Core,
    endpoint: Endpoint,
    argument: str,
    given: GivenContacts,
    *,
    on_problem: OnProblem,
    chunk: int,
    concurrency: int,
    progress: BaseAddProgress[Any],
    on_progress: OnProgress | None,
    idempotency_key: str | None,
    timeout: TimeoutLike,
) -> Any:
    """Add rows, with an idempotency key or without. The arguments are those of the operation.

    Args:
        core: The session.
        endpoint: What the generation of the API differs in.
        argument: The name of the argument with the rows.
        given: The rows.
        on_problem: Whether rows with a problem are left out.
        chunk: The number of rows in one request.
        concurrency: The number of requests in flight.
        progress: Accounts for the rows.
        on_progress: Called with it after each request.
        idempotency_key: The key.
        timeout: The limits of each request.

    Raises:
        UsageError: A setting is not valid.
    """
    operation = endpoint.operation
    for name, number in (("chunk", chunk), ("concurrency", concurrency)):
        if not is_count(number):
            raise UsageError(f"{operation}: `{name}` is {shown(number)}; it must be an integer of 1 or more.")
    if on_progress is not None and not is_callback(on_progress):
        raise UsageError(f"{operation}: `on_progress` must be a function, and not an async one.")
    skips = skips_problems(operation, on_problem)
    refuse_no_list(given, argument)
    settings: dict[str, Any] = {
        "endpoint": endpoint,
        "argument": argument,
        "chunk": chunk,
        "concurrency": concurrency,
        "skips": skips,
        "progress": progress,
        "on_progress": on_progress,
        "timeout": timeout,
    }
    if idempotency_key is None:
        return await Addition(**settings).run(core, given)
    with loading(operation):
        from tingting_async.resources.keyed_additions import KeyedAddition  # noqa: PLC0415 - it imports the ledger

    return await KeyedAddition(**settings, key=idempotency_key).run(core, given)


def new_progress(operation: str, kind: type[P], given: P | None) -> P:
    """Return the progress that a call was given, or a new one.

    Raises:
        UsageError: It is of another kind, or was used before, other than by an attempt of the same `ensure_sent()`.
    """
    if given is None:
        return kind()
    if not isinstance(given, kind):
        home = ".".join(kind.__module__.split(".")[:2]).removesuffix(".classic")
        raise UsageError(
            f"{operation}: `progress` must be an `AddProgress()` of `{home}`, not {type(given).__module__}."
            f"{type(given).__name__}."
        )
    expected = expected_send.get()
    if expected is not None and expected.failure is not None and not given.has_begun:
        given.reset()  # A repeated attempt of `ensure_sent()`: the attempt before had no effect.
    if given != kind():
        raise UsageError(f"{operation}: `progress` must be an `AddProgress()` that no other call has used.")
    return given


def refuse_no_list(given: object, name: str) -> None:
    """Refuse a value that is not a list of contacts or numbers.

    Raises:
        UsageError: A text, whose characters would be numbers; a mapping, whose values would be lost; a table, whose
            column names would be numbers; no iterable.
    """
    kind = type(given).__name__
    if hasattr(given, "columns") and hasattr(given, "shape"):
        raise UsageError(f"`{name}` must be a list of {name}, not {kind}: give `RecipientList.from_rows(...)` of it.")
    if isinstance(given, str | bytes | bytearray | memoryview | Mapping) or not isinstance(
        given, Iterable | AsyncIterable
    ):
        raise UsageError(f"`{name}` must be a list of {name}, not {kind}.")


def skips_problems(operation: str, on_problem: OnProblem) -> bool:
    """Return whether rows with a problem are left out.

    Raises:
        UsageError: `on_problem` is not valid.
    """
    if on_problem not in ("raise", "skip"):
        raise UsageError(f'{operation}: `on_problem` must be "raise" or "skip", not {shown(on_problem)}.')
    return on_problem == "skip"
