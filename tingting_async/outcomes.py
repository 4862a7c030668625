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
class Finding:
    """What was found out."""

    verdict: Verdict
    why: str
    """From what it was told, in words."""
    result: Any = attrs.field(default=None, repr=False)
    """What was found: the campaign, the contact, the one-time password, the line; None where nothing was."""


Find = Callable[[datetime | None], Awaitable[Finding]]
"""Finds out whether something happened since then; None for since the request was made."""


def by_presence(found: Any, what: str) -> Finding:
    """Tell by whether the thing is there."""
    if found is None:
        return Finding(Verdict.NOT_DONE, f"{what} is not there.")
    return Finding(Verdict.DONE, f"{what} is there.", found)


class Reconcilable(Exception):  # noqa: N818 - a part of errors, and none itself
    """An error about a request whose outcome can be looked up."""

    operation: str
    _find: Find | None = None
    _since: datetime | None = None
    _settle: Callable[[Finding], Awaitable[None]] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        # An error may go to another process. What finds out stays here: it belongs to a session.
        told = {name: value for name, value in vars(self).items() if name not in ("_find", "_since", "_settle")}
        return (type(self), self.args, told)

    def __copy__(self) -> Self:
        copied = type(self)(*self.args)
        vars(copied).update(vars(self))
        return copied

    def be_found_by(
        self,
        find: Find | None,
        since: datetime | None = None,
        settle: Callable[[Finding], Awaitable[None]] | None = None,
    ) -> None:
        """Set what finds it out, since when it may have happened (None for since it was asked), and who is told."""
        self._find, self._since, self._settle = find, since, settle

    async def reconcile(self, *, wait: float = 10.0) -> Finding:
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
        if self._find is None:
            return Finding(Verdict.UNKNOWN, f"Nothing here can tell what became of {self.operation}.")
        finding = await self._find(self._since)
        if finding.verdict is Verdict.NOT_DONE:
            await asyncio.sleep(wait)
            finding = await self._find(self._since)
        if self._settle is not None:
            await self._settle(finding)
        return finding


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
    since: datetime
    """When it was about to leave; aware, in UTC."""
