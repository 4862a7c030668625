"""The dashboard."""

from tingting_async.errors import UsageError
from tingting_async.http.messages import Effect, Request
from tingting_async.resources.base import Limit, Resource
from tingting_async.v1.models.accounts import Dashboard


class Dashboards(Resource):
    """The account's sums (v1 documents, Dashboard)."""

    async def get(self, *, days: int = 30, timeout: Limit = None) -> Dashboard:
        """Return the sums of the last days (`GET dashboard/`)."""
        if type(days) is not int or days < 1:
            raise UsageError(f"dashboard.get: `days` is {days!r}; it has to be 1 or more.")
        request = Request(
            "GET",
            "/api/v1/dashboard/",
            Effect.READS,
            "dashboard.get",
            Dashboard,
            params=(("days", str(days)),),
            timeout=timeout,
        )
        return await self._session.call(request)
