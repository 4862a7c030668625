"""The dashboard."""

from tingting_async.errors import UsageError
from tingting_async.http.messages import Request
from tingting_async.quantities import is_count, shown
from tingting_async.resources.base import Resource, TimeoutLike
from tingting_async.v1.models.accounts import Dashboard


class Dashboards(Resource):
    """The account's totals (v1 documents, Dashboard)."""

    async def get(self, *, days: int = 30, timeout: TimeoutLike = None) -> Dashboard:
        """Return the totals of the last days (`GET dashboard/`).

        Args:
            days: The number of days.
            timeout: See `Resource`.

        Raises:
            UsageError: `days` is less than 1.
        """
        if not is_count(days):
            raise UsageError(f"dashboard.get: `days` is {shown(days)}; it must be an integer of 1 or more.")
        return await self._core.execute(
            Request.read(
                "/api/v1/dashboard/", Dashboard, "dashboard.get", params=(("days", str(days)),), timeout=timeout
            )
        )
