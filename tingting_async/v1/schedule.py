"""When a campaign that was scheduled will run."""

import asyncio
import re
from datetime import datetime

import attrs

from tingting_async.client.core import Core
from tingting_async.errors import PartialFailureError, TingTingError
from tingting_async.resources.base import TimeoutLike
from tingting_async.v1.models.campaigns import RunStarted
from tingting_async.v1.reconcile import details

_DATE = r"\d{4}-\d{1,2}-\d{1,2}"


async def with_schedule(
    core: Core, id: int, started: RunStarted, timeout: TimeoutLike, known: datetime | None = None
) -> RunStarted:
    """Return the confirmation of a run with the time that the campaign itself has, if the run was scheduled.

    The response has a Bikram Sambat date only, and the tables that convert it differ by a day. The run is confirmed by
    now: if the campaign cannot be read, the converted date stays.

    Args:
        core: The session's.
        id: The campaign's id.
        started: The confirmation.
        timeout: The limits of the request for the campaign.
        known: When the campaign will run, if that was read before the run.

    Raises:
        asyncio.CancelledError: The call was cancelled. The confirmation is in the `PartialFailureError` behind it.
    """
    if re.search(_DATE, started.text) is None:
        return started
    try:
        when = known or (await core.execute(details(id, timeout))).schedule
    except TingTingError:
        when = None
    except asyncio.CancelledError as error:
        said = f"Campaign {id} was run; only its schedule was not read. {started.text}"
        raise error from PartialFailureError(said, result=started)
    return started if when is None else attrs.evolve(started, scheduled_for=when, converted_by=None)
