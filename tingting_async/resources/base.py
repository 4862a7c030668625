"""What every resource is made of."""

from tingting_async.client.core import Core
from tingting_async.http.timeouts import Timeout


class Resource:
    """Operations of a session.

    Every operation takes `timeout`, the limits of this one call: a `Timeout`, or the seconds that the whole call may
    take; None for the session's. Every operation raises `TingTingError`, see `tingting_async.errors`.
    """

    def __init__(self, core: Core) -> None:
        self._core = core


TimeoutLike = Timeout | float | None
"""The limits of one call: a `Timeout`, or the seconds that the whole call may take; None for the session's."""
