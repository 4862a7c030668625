"""What became of a request whose response was lost: verdicts, the sends of the ledger, and `reconcile()`."""

import asyncio
import enum
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Self

import attrs

from tingting_async.quantities import SECONDS_FROM_0, is_seconds, shown
from tingting_async.redaction import repr_text
from tingting_async.tracebacks import short_traceback

HOW_TO_RECORD = (
    "Then call the ledger's `mark_sent()` or `mark_not_sent()` with this error's `send`. Only `mark_not_sent()` allows "
    "the same send again."
)
"""What to do once a person knows what became of a send that a ledger has."""
NEW_KEY = "A new `idempotency_key` makes another send."


class Verdict(enum.Enum):
    """Whether something happened.

    Attributes:
        DONE: It happened: do not do it again.
        NOT_DONE: It did not happen: it is safe to do it again.
        UNKNOWN: The service shows no evidence of either.
    """

    DONE = "done"
    NOT_DONE = "not done"
    UNKNOWN = "unknown"


@attrs.frozen
class Reconciliation:
    """The result of `reconcile()`.

    Attributes:
        verdict: Whether it happened.
        reason: The evidence for the verdict, as a sentence.
        result: The campaign, contact, one-time password or line that was found; None if there is none.
    """

    verdict: Verdict
    reason: str = attrs.field(repr=repr_text)
    result: Any = attrs.field(default=None, repr=False, hash=False)


def from_presence(found: Any, what: str) -> Reconciliation:
    """Return the verdict for something that is there if, and only if, it was done."""
    if found is None:
        return Reconciliation(Verdict.NOT_DONE, f"{what} is not there.")
    return Reconciliation(Verdict.DONE, f"{what} is there.", found)


class SendState(enum.Enum):
    """What the ledger knows about a send.

    Attributes:
        IN_PROGRESS: A running process is waiting for the response.
        DONE: The service confirmed it, or `reconcile()` or `mark_sent()` recorded it.
        UNKNOWN: Its response was lost, or its process ended before the response arrived.
    """

    IN_PROGRESS = "in progress"
    DONE = "done"
    UNKNOWN = "unknown"


@attrs.frozen
class Clocks:
    """The times of the clocks at one moment. Any of them may be wrong, or set later; together they show that.

    Attributes:
        local: This machine's clock; an aware datetime in UTC.
        service: The service's clock, by the `Date` of its latest response; None if none had told it. It is the latest
            that the clock may have shown, because `Date` has whole seconds, or `local` if the two clocks agree.
        monotonic: The clock of this machine that nobody can set, in seconds.
    """

    local: datetime
    service: datetime | None
    monotonic: float


@attrs.frozen
class Send:
    """A send that the ledger has recorded.

    Attributes:
        id: A unique id of this attempt; a later attempt with the same key has another.
        service: The session's `base_url`.
        operation: The name of the operation, e.g. `"campaigns.run"`.
        key: The `idempotency_key` that was given; None if there was none.
        target: What is sent as a whole, e.g. `"campaign 7"`; None for e.g. a one-time password. Without a `key`, each
            target is sent once.
        state: Whether it is done, in progress, or unknown.
        started_at: When the request was about to leave, by this machine's clock; an aware datetime in UTC.
        clocks: What all clocks showed then; None if the ledger's file was written by an older version.
        result: For a creation that is done: the id of what was created. None for a send.
        is_only: Whether the ledger was asked for sends with the same `target` and another key, and has none.
        is_latest: Whether the ledger was asked for them, and has none that began later.
    """

    id: str
    service: str
    operation: str
    key: str | None = attrs.field(repr=repr_text)
    target: str | None = attrs.field(repr=repr_text)
    state: SendState
    started_at: datetime
    clocks: Clocks | None = attrs.field(default=None, repr=False)
    result: str | None = attrs.field(default=None, repr=repr_text)
    is_only: bool = attrs.field(default=False, repr=False)
    is_latest: bool = attrs.field(default=False, repr=False)


@attrs.frozen(eq=False, repr=False)
class Look:
    """What the service shows about a creation.

    Attributes:
        new: What was created since, under the same name.
        maybe: What may have been created since, or may have another name.
        otherwise: The verdict if none of these is the creation.
    """

    new: Sequence[Any]
    maybe: Sequence[Any]
    otherwise: Reconciliation


@attrs.frozen(eq=False, repr=False)
class Creation:
    """How a creation with a key is recognised afterwards.

    Attributes:
        what: What it creates, as the start of a sentence, such as "A campaign of this name".
        observe: Returns what exists before its request leaves, as JSON values.
        look: Takes the ledger's record and what existed before; returns what may have been created since.
        was_there: Takes something, and what existed before another creation; returns whether it existed then.
        identify: Returns the id of what was created.
        get: Returns the object that has an id.
        arguments: The names of its arguments by the names of the request's fields, if they differ.
        content: What another call with the same key must have, besides the request's fields: texts by the names of
            arguments.
        advice: What to do if another call with the same key had other arguments, as sentences.
    """

    what: str
    observe: Callable[[], Awaitable[Mapping[str, Any]]]
    look: Callable[[Send, Mapping[str, Any]], Awaitable[Look]]
    was_there: Callable[[Any, Mapping[str, Any]], bool]
    identify: Callable[[Any], str]
    get: Callable[[str], Awaitable[Any]]
    arguments: Mapping[str, str] = attrs.field(factory=dict[str, str])
    content: Mapping[str, str] = attrs.field(factory=dict[str, str])
    advice: str = "Give the same arguments as then, or, to create another one, a new `idempotency_key`."


def target_id(send: Send | None, default: str) -> str:
    """Return the id in a recorded send's target, e.g. `"7"` of `"campaign 7"`; `default` if there is none."""
    return default if send is None or send.target is None else send.target.partition(" ")[2]


Reconciler = Callable[[Send | None], Awaitable[Reconciliation]]
"""Finds out whether a request was carried out. Takes the ledger's record; None stands for the present request."""


async def known_outcome(outcome: Reconciliation, _: Send | None) -> Reconciliation:
    """Return an outcome that is already known. Bound with `functools.partial`, this is a `Reconciler`."""
    return outcome


class Reconcilable(Exception):  # noqa: N818 - a mixin, not an error itself
    """An error about a request whose outcome can be looked up."""

    operation: str
    _usage_error: type[ValueError] = ValueError
    """The type of the error if an argument of `reconcile()` is not valid."""
    _reconciler: Reconciler | None = None
    _recorded: Send | None = None
    _on_reconciled: Callable[[Reconciliation], Awaitable[float]] | None = None
    _sleep: Callable[[float], Awaitable[None]] = staticmethod(asyncio.sleep)

    def __reduce__(self) -> tuple[Any, ...]:
        # A pickled error may reach another process. Its reconciler belongs to a session, and stays here.
        local = ("_reconciler", "_recorded", "_on_reconciled", "_sleep")
        return (type(self), self.args, {name: value for name, value in vars(self).items() if name not in local})

    def __copy__(self) -> Self:
        copied = type(self)(*self.args)
        vars(copied).update(vars(self))
        return copied

    @short_traceback
    async def reconcile(self, *, wait: float = 10.0) -> Reconciliation:
        """Find out whether the request was carried out. This only reads; the session must still be open.

        The service may still be about to carry out the request. So the verdict is "not done" only if two checks show
        nothing. A service that needs longer than `wait` can still carry it out after that. With a ledger, there may be
        a third check: a process that seems to be dead gets six seconds in which it may still begin.

        Args:
            wait: Seconds between the two checks.

        Returns:
            The verdict: done, with what was found; not done, so that it is safe to send again; or unknown.

        Raises:
            UsageError: `wait` is not a number of seconds.
            SessionClosedError: The session is closed, or was closed during the wait.
            TingTingError: A check failed. Call `reconcile()` again.
        """
        if not is_seconds(wait, zero=True):
            raise self._usage_error(f"reconcile: `wait` is {shown(wait)}; it must be {SECONDS_FROM_0}.")
        if self._reconciler is None:
            return Reconciliation(Verdict.UNKNOWN, f"The service shows no evidence of what became of {self.operation}.")
        reconciliation = await self._reconciler(self._recorded)
        if reconciliation.verdict is Verdict.NOT_DONE:
            await self._sleep(wait)
            reconciliation = await self._reconciler(self._recorded)
        if self._on_reconciled is not None:
            while rest := await self._on_reconciled(reconciliation):
                await self._sleep(rest)
                reconciliation = await self._reconciler(self._recorded)
        return reconciliation


def attach_reconciler(
    error: Reconcilable,
    reconciler: Reconciler | None,
    recorded: Send | None = None,
    on_reconciled: Callable[[Reconciliation], Awaitable[float]] | None = None,
) -> None:
    """Set what `error.reconcile()` does.

    Args:
        error: An error about a request whose outcome is unknown.
        reconciler: Finds out what happened; None if the service shows no evidence.
        recorded: The send that the ledger recorded; None without a ledger.
        on_reconciled: Called with each result. It returns for how many seconds "not done" is too early, because a
            process that seems to be dead may still begin; then there is another check after that. 0 if it is not.
    """
    vars(error).update(_reconciler=reconciler, _recorded=recorded, _on_reconciled=on_reconciled)


def share_reconciler(source: Reconcilable, target: Reconcilable) -> None:
    """Let `target.reconcile()` do what `source.reconcile()` does."""
    names = ("_reconciler", "_recorded", "_on_reconciled", "_sleep")
    vars(target).update({name: getattr(source, name) for name in names})


async def wait_for_other(error: Reconcilable, seconds: float) -> None:
    """Wait while somebody else works on what the error is about.

    Raises:
        SessionClosedError: The session is closed, or was closed meanwhile.
    """
    await vars(error).get("_sleep", asyncio.sleep)(seconds)


def attach_sleep(error: Reconcilable, sleep: Callable[[float], Awaitable[None]]) -> None:
    """Set how `error.reconcile()` waits between its two checks: `sleep` ends when the session is closed."""
    vars(error).update(_sleep=sleep)
