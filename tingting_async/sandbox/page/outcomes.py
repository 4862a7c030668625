"""The words and colours of the page for what became of calls and texts."""

from collections.abc import Mapping
from typing import NamedTuple


class Outcome(NamedTuple):
    """What became of a call or a text.

    Attributes:
        label: How the page names it.
        tone: The class of its colour.
        meaning: What it means, with the status that the API shows.
    """

    label: str
    tone: str
    meaning: str


OUTCOMES: Mapping[str, Outcome] = {
    "sent": Outcome("sent", "good", "The text was sent."),
    "completed": Outcome("answered", "good", "The person heard the message to its end (completed)."),
    "hungup": Outcome("hung up", "fair", "The person answered, and hung up before the end (hungup)."),
    "unanswered": Outcome("unanswered", "poor", "The phone rang, and nobody answered (unanswered)."),
    "failed": Outcome("failed", "bad", "The call could not be connected (failed)."),
    "terminated": Outcome("stopped", "idle", "The campaign was stopped (terminated)."),
    "answered": Outcome("in call", "busy", "The person has answered, and listens (answered)."),
    "ringing": Outcome("ringing", "busy", "The phone rings (ringing)."),
    "dialing": Outcome("dialing", "busy", "The call is being connected (dialing)."),
    "not started": Outcome("not started", "idle", "It has not been the contact's turn yet (not started)."),
}
"""By the status that the API shows, in the order of charts."""


def outcome(status: str) -> Outcome:
    """Return the outcome for a status of the API."""
    return OUTCOMES.get(status, Outcome(status, "idle", status))
