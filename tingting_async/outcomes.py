"""What became of a request whose answer was lost: what `OutcomeUnknownError.reconcile` finds out."""

import asyncio
import enum
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Self

import attrs

from tingting_async.redaction import redact


class Verdict(enum.Enum):
    """Whether something happened."""

    DONE = "done"
    """It happened: do not do it again."""
    NOT_DONE = "not done"
    """It did not happen: it is safe to do it again."""
    UNKNOWN = "unknown"
    """The service has nothing from which that can be told."""


@attrs.frozen
class Reconciliation:
    """What was found out."""

    verdict: Verdict
    reason: str
    """From what it was told, in words."""
    result: Any = attrs.field(default=None, repr=False)
    """What was found: the campaign, the contact, the one-time password, the line; None where nothing was."""


Reconciler = Callable[[datetime | None], Awaitable[Reconciliation]]
"""Finds out whether something happened since then; None for since the request was made."""


def from_presence(found: Any, what: str) -> Reconciliation:
    """Tell by whether the thing is there."""
    if found is None:
        return Reconciliation(Verdict.NOT_DONE, f"{what} is not there.")
    return Reconciliation(Verdict.DONE, f"{what} is there.", found)


class Reconcilable(Exception):  # noqa: N818 - a part of errors, and none itself
    """An error about a request whose outcome can be looked up."""

    operation: str
    _reconciler: Reconciler | None = None
    _started_at: datetime | None = None
    _on_reconciled: Callable[[Reconciliation], Awaitable[None]] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        # An error may go to another process. What finds out stays here: it belongs to a session.
        told = {
            name: value
            for name, value in vars(self).items()
            if name not in ("_reconciler", "_started_at", "_on_reconciled")
        }
        return (type(self), self.args, told)

    def __copy__(self) -> Self:
        copied = type(self)(*self.args)
        vars(copied).update(vars(self))
        return copied

    async def reconcile(self, *, wait: float = 10.0) -> Reconciliation:
        """Find out whether it happened, by reading only; the session has to be open still, in this process.

        A service may still be about to do what it was asked, so "not done" is said only of what is not there at two
        looks. One that takes longer than `wait` between them can do it afterwards.

        Args:
            wait: Seconds between the looks.

        Returns:
            Done, with what was found; not done, so that it is safe to do it again; or still unknown.

        Raises:
            TingTingError: Finding out failed; it can be tried again.
        """
        if self._reconciler is None:
            return Reconciliation(Verdict.UNKNOWN, f"Nothing here can tell what became of {self.operation}.")
        finding = await self._reconciler(self._started_at)
        if finding.verdict is Verdict.NOT_DONE:
            await asyncio.sleep(wait)
            finding = await self._reconciler(self._started_at)
        if self._on_reconciled is not None:
            await self._on_reconciled(finding)
        return finding


def attach_reconciler(
    error: Reconcilable,
    reconciler: Reconciler | None,
    started_at: datetime | None = None,
    on_reconciled: Callable[[Reconciliation], Awaitable[None]] | None = None,
) -> None:
    """Set how `error.reconcile()` finds out what happened.

    Args:
        error: An error about a request whose outcome is unknown.
        reconciler: Finds it out; None if nothing can.
        started_at: When the request was about to leave; None if the reconciler knows.
        on_reconciled: Is called with what was found.
    """
    vars(error).update(_reconciler=reconciler, _started_at=started_at, _on_reconciled=on_reconciled)


class SendState(enum.Enum):
    """What the ledger knows of a send."""

    IN_PROGRESS = "in progress"
    """A process that is running is waiting for the answer."""
    DONE = "done"
    """The service confirmed it, or it was found out, or you said so."""
    UNKNOWN = "unknown"
    """Its answer was lost, or its process ended in the middle."""


@attrs.frozen
class Send:
    """A send that the ledger knows of."""

    id: int
    """Another for each attempt."""
    service: str
    """The `base_url` of the session."""
    operation: str
    """What was asked, e.g. `"campaigns.run"`."""
    key: str | None = attrs.field(repr=lambda key: repr(key and redact(key)))
    """What it was known by; None for what has no key, and may be sent again at any time."""
    state: SendState
    started_at: datetime
    """When it was about to leave; aware, in UTC."""
