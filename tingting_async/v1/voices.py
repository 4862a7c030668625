"""The voices that read messages aloud."""

from tingting_async.http.messages import Request
from tingting_async.pagination.paginator import Paginator
from tingting_async.pagination.styles import SinglePage
from tingting_async.resources.base import Resource, TimeoutLike
from tingting_async.v1.models.accounts import Voice
from tingting_async.v1.pages import read_results


class Voices(Resource):
    """Voices (v1 documents, Campaigns, voices)."""

    def list(self, *, timeout: TimeoutLike = None) -> Paginator[Voice]:
        """List the voices (`GET voice-models/`)."""
        return self._core.paginate(
            Request.read("/api/v1/voice-models/", list[Voice], "voices.list", timeout=timeout),
            SinglePage(),
            read_results,
        )
