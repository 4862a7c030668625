"""What the resources of both generations are built on."""

import inspect
from typing import Any, TypedDict

import attrs

from tingting_async.client.core import Core, PageMaker
from tingting_async.client.hints import Hinting
from tingting_async.client.options import require_bool
from tingting_async.decoding.audio import find_audio
from tingting_async.errors import UsageError
from tingting_async.http.messages import Request, Response, T
from tingting_async.http.timeouts import Timeout
from tingting_async.pagination.paginator import Paginator
from tingting_async.pagination.styles import PaginationStyle
from tingting_async.resources.arguments import refuse_unknown
from tingting_async.resources.models import SpokenMessage
from tingting_async.tracebacks import short_traceback

TimeoutLike = Timeout | float | None
"""The limits of one call: a `Timeout`, or seconds for the whole call; None for the session's."""


IN_V1 = "The v1 API has it: `from tingting_async.v1 import TingTing`."
IN_CLASSIC = "The classic API has it: `from tingting_async import TingTing`."


_PAGING_HINTS = {
    **dict.fromkeys(
        ("limit", "max_items", "count"),
        "To get the first five items, write `.collect(5)`: `await ….list().collect(5)`.",
    ),
    **dict.fromkeys(
        ("page", "page_size", "per_page", "offset", "cursor"),
        "The pages are requested as needed. To get them one by one, write `.pages()`: `async for page in "
        "….list().pages()`.",
    ),
}
"""What to write instead of the arguments that lists of other libraries have."""


class PageOptions(TypedDict, total=False):
    """The options of every list; `Resource` describes them."""

    window: int | None
    exact: bool
    max_cost: float | None
    resume: str | None
    timeout: TimeoutLike


class Resource(Hinting):
    """Operations of a session.

    Every operation accepts `timeout`, the limits of this one call: a `Timeout`, or seconds for the whole call; None for
    the session's. Every operation raises `TingTingError`, see `tingting_async.errors`.

    A request that calls or texts someone, or spends money, is sent again only if it never left this machine, or if the
    service itself refused it. Such operations, and some that create, accept `idempotency_key`, your name for what must
    happen once. It needs a ledger; see docs/ledger.md.

    Every list accepts these options (`PageOptions`):

    - `window`: The maximum number of pages in flight, from the start. None for the session's, with a slow start.
    - `exact`: Whether to miss no row and repeat none, or else raise `PaginationError`. See docs/pagination.md.
    - `max_cost`: How many times the requests of a plain iteration an exact one may send; 5 by default.
    - `resume`: The `resume_token` of an earlier iterator; iteration continues after it.
    - `timeout`: The limits of each page request.
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    def __init_subclass__(cls, *, resource: str = "", **options: Any) -> None:
        """Cut the tracebacks of every operation: its arguments may be secrets.

        Args:
            resource: The session's name for this resource; by default, the name of the module.
            **options: The options of other bases.
        """
        super().__init_subclass__(**options)
        for name, value in [*vars(cls).items()]:
            if inspect.isfunction(value) and not name.startswith("_"):
                setattr(cls, name, short_traceback(value))
                # Python's own errors name an operation as all others do: `campaigns.run() takes 2 positional …`.
                value.__qualname__ = f"{resource or cls.__module__.rpartition('.')[2]}.{name}"

    def _paginate(
        self,
        request: Request[list[T]],
        style: PaginationStyle,
        make_page: PageMaker[T],
        options: PageOptions,
    ) -> Paginator[T]:
        """Return the paginator of a list. The method of this resource that the operation is named after calls it."""
        refuse_unknown(
            request.operation,
            options,
            PageOptions.__optional_keys__,
            method=getattr(self, request.operation.rpartition(".")[2]),
            hints=_PAGING_HINTS,
        )
        require_bool(options.get("exact", False), "exact")
        return self._core.paginate(
            attrs.evolve(request, timeout=options.get("timeout")),
            style,
            make_page,
            window=options.get("window"),
            exact=options.get("exact", False),
            max_cost=options.get("max_cost"),
            resume=options.get("resume"),
        )

    async def _spoken_message(self, request: Request[Response]) -> SpokenMessage:
        """Have a message read aloud, and return the audio or its URL."""
        url, audio, content_type = find_audio(self._core.decoder, request, await self._core.execute(request))
        if url is not None and url.startswith("/"):
            url = f"{self._core.base_url}{url}"
        return SpokenMessage(url=url, audio=audio, content_type=content_type)


class BaseAccounts(Resource, resource="accounts"):
    """The operations on tokens that both generations share."""

    async def refresh(self) -> None:
        """Refresh the access token now.

        There is no need to call this: the session refreshes the token before it expires, and when the service rejects
        it.

        Raises:
            UsageError: The session uses a fixed API token.
            AuthenticationError: The service accepts neither the refresh token nor the credentials.
        """
        await self._core.refresh()

    async def _login(self, model: type[T], timeout: TimeoutLike) -> T:
        """Sign in, set the session's tokens, and return the decoded response."""
        auth = self._core.auth
        if auth.credentials is None:
            raise UsageError("accounts.login: the session has no `email` and `password` to sign in with.")
        request: Request[T] = attrs.evolve(auth.scheme.login(auth.credentials), model=model, timeout=timeout)
        return self._core.decoder.decode(request, await self._core.login(request))
