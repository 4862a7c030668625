"""A campaign as it is now, watching it while it runs, and stopping it."""

import functools
from collections.abc import Iterable

from tingting_async.http.messages import Request
from tingting_async.resources import arguments
from tingting_async.resources.base import TimeoutLike
from tingting_async.v1.method_fallback import MethodFallback
from tingting_async.v1.models.campaigns import Campaign, CampaignStatus
from tingting_async.v1.models.common import Confirmation
from tingting_async.v1.progress import Progress
from tingting_async.v1.reconcile import details


class WatchedCampaigns(MethodFallback, resource="campaigns"):
    """The operations on campaigns that look at one while it runs, or stop it."""

    async def get(self, id: int, *, timeout: TimeoutLike = None) -> Campaign:
        """Return a campaign (`GET campaign/<id>/`). Its voice has only an id.

        Raises:
            NotFoundError: The account has no campaign with this id.
        """
        return await self._core.execute(details(id, timeout))

    async def stop(self, id: int, *, timeout: TimeoutLike = None) -> Confirmation:
        """Stop a campaign at once (`POST campaign/emergency-stop/<id>/`)."""
        return await self._core.execute(
            Request.update(
                f"/api/v1/campaign/emergency-stop/{arguments.identifier(id)}/",
                Confirmation,
                "campaigns.stop",
                method="POST",
                allows_empty_body=True,
                timeout=timeout,
                recovery_hint=f"look at the status of campaigns.get({id})",
            )
        )

    def progress(
        self, id: int, *, poll_interval: float = 1.0, max_poll_interval: float = 30.0, timeout: TimeoutLike = None
    ) -> Progress:
        """Watch a campaign: `async for campaign in tingting.campaigns.progress(id)`.

        Yields the campaign as it is now, and again after each change. Ends once its status is final or unknown.

        Args:
            id: The campaign's id.
            poll_interval: Seconds between two polls; grows by half after each poll without a change.
            max_poll_interval: The maximum number of seconds between two polls.
            timeout: The limits of each poll.

        Raises:
            SessionClosedError: While iterating: the session was closed.
        """
        return self._watch("campaigns.progress", id, poll_interval, max_poll_interval, timeout)

    async def wait(
        self,
        id: int,
        *,
        until: CampaignStatus | str | Iterable[CampaignStatus | str] = (),
        timeout: float | None = None,
        poll_interval: float = 1.0,
        max_poll_interval: float = 30.0,
    ) -> Campaign:
        """Wait until a campaign has a final or unknown status, or one of those in `until`.

        Args:
            id: The campaign's id.
            until: The statuses that end the wait, besides final and unknown ones.
            timeout: Seconds to wait at most; None for no limit.
            poll_interval: As of `progress`.
            max_poll_interval: As of `progress`.

        Raises:
            WaitTimeoutError: The wait timed out; `last` is the campaign as it was last seen.
            SessionClosedError: The session was closed meanwhile.
        """
        wanted = [until] if isinstance(until, str) else until
        arguments.require_list(wanted, "until", "statuses")
        progress = self._watch("campaigns.wait", id, poll_interval, max_poll_interval)
        return await progress.wait({arguments.enum_member(CampaignStatus, each, "until") for each in wanted}, timeout)

    def _watch(
        self, operation: str, id: int, poll_interval: float, max_poll_interval: float, timeout: TimeoutLike = None
    ) -> Progress:
        arguments.identifier(id)
        return Progress(
            operation,
            id,
            lambda: self.get(id, timeout=timeout),
            functools.partial(self._core.sleep, operation),
            poll_interval=poll_interval,
            max_poll_interval=max_poll_interval,
        )
