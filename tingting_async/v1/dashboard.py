"""The dashboard."""

from tingting_async.errors import UsageError
from tingting_async.http.messages import Effect, Request
from tingting_async.resources.base import Resource, TimeoutLike
from tingting_async.v1.models.accounts import Dashboard


class Dashboards(Resource):
    """The account's sums (v1 documents, Dashboard)."""

    async def get(self, *, days: int = 30, timeout: TimeoutLike = None) -> Dashboard:
        """Return the sums of the last days (`GET dashboard/`)."""
        if type(days) is not int or days < 1:
            raise UsageError(f"dashboard.get: `days` is {days!r}; it has to be 1 or more.")
        request = Request(
            "GET",
            "/api/v1/dashboard/",
            Effect.READ,
            "dashboard.get",
            Dashboard,
            params=(("days", str(days)),),
            timeout=timeout,
        )
        return await self._core.execute(request)
