"""What campaigns call from, and who speaks."""

from tingting_async.http.messages import Effect, Request
from tingting_async.pagination.paginator import Paginator
from tingting_async.pagination.styles import SinglePage
from tingting_async.resources.base import Resource, TimeoutLike
from tingting_async.v1.models.accounts import Line
from tingting_async.v1.pages import read_array


class PhoneNumbers(Resource):
    """Lines (v1 documents, Campaigns, lines)."""

    def list(self, *, timeout: TimeoutLike = None) -> Paginator[Line]:
        """List the lines that campaigns can call from (`GET active-broker-phone/`)."""
        path, operation = "/api/v1/active-broker-phone/", "phone_numbers.list"
        request = Request("GET", path, Effect.READ, operation, list[Line], timeout=timeout)
        return self._core.paginate(request, SinglePage(), read_array)

    def active(self, *, timeout: TimeoutLike = None) -> Paginator[Line]:
        """List the account's active numbers (`GET phone-number/active/`)."""
        path, operation = "/api/v1/phone-number/active/", "phone_numbers.active"
        request = Request("GET", path, Effect.READ, operation, list[Line], timeout=timeout)
        return self._core.paginate(request, SinglePage(), read_array)
