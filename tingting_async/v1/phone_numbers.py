"""The lines that campaigns call from."""

from tingting_async.http.messages import Request
from tingting_async.pagination.paginator import Paginator
from tingting_async.pagination.styles import SinglePage
from tingting_async.resources.base import IN_CLASSIC, Resource, TimeoutLike
from tingting_async.v1.models.accounts import Line
from tingting_async.v1.pages import read_results


class PhoneNumbers(Resource):
    """Lines (v1 documents, Campaigns, lines)."""

    _elsewhere = dict.fromkeys(("buy", "for_sale", "owned", "release"), IN_CLASSIC)

    def list(self, *, timeout: TimeoutLike = None) -> Paginator[Line]:
        """List the lines that campaigns can call from (`GET active-broker-phone/`)."""
        return self._core.paginate(
            Request.read("/api/v1/active-broker-phone/", list[Line], "phone_numbers.list", timeout=timeout),
            SinglePage(),
            read_results,
        )

    def active(self, *, timeout: TimeoutLike = None) -> Paginator[Line]:
        """List the account's active lines (`GET phone-number/active/`)."""
        return self._core.paginate(
            Request.read("/api/v1/phone-number/active/", list[Line], "phone_numbers.active", timeout=timeout),
            SinglePage(),
            read_results,
        )
