"""How long to wait. Imports nothing of ours."""

import attrs


@attrs.frozen
class Timeout:
    """How long to wait, all in seconds. None means for ever, but for the whole call.

    One attempt ends after `connect` if no connection came about, and after `answer` at the latest, connecting included.
    """

    pool: float | None = 60.0
    """For a place among the requests in flight (`max_in_flight`)."""
    connect: float | None = 10.0
    """For name look-up, TCP and TLS."""
    answer: float | None = 30.0
    """For one attempt, from its start to the last byte of the answer."""
    total: float = 120.0
    """For the whole call: signing in, repeats and their pauses included."""

    @classmethod
    def of(cls, value: "Timeout | float") -> "Timeout":
        """Read a number as the limit of the whole call."""
        return value if isinstance(value, Timeout) else cls(total=float(value))
