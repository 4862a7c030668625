"""Requests and responses as values, and what an answer means. No I/O, no endpoint, no generation of the API."""

import enum
import functools
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypedDict, TypeVar, Unpack, cast
from urllib.parse import quote_plus

import attrs
from multidict import CIMultiDict, CIMultiDictProxy

from tingting_async.http.json import loads
from tingting_async.http.timeouts import Timeout
from tingting_async.outcomes import Reconciler
from tingting_async.redaction import SECURE, redact

if TYPE_CHECKING:
    from tingting_async.decoding.fast.pages import PageDecoder

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Params = tuple[tuple[str, str], ...]
"""A query, as pairs of texts in the order in which they are sent."""

PayloadPath = tuple[str | int, ...]
"""Where something lies in a JSON value: keys of objects and indexes of arrays."""


class Effect(enum.Enum):
    """What a request does to the world; it decides what may be repeated."""

    READ = "read"
    """Changes nothing."""
    UPDATE = "update"
    """Doing it twice is the same as doing it once: update, delete."""
    CREATE = "create"
    """Doing it twice makes two of something."""
    SEND = "send"
    """Rings or texts a person, or spends money."""
    REVOKE = "revoke"
    """Ends something that others still use, such as the previous API token."""


def _limit(value: Timeout | float | None) -> Timeout | None:
    return None if value is None else Timeout.of(value)


@attrs.frozen
class File:
    """A file's content, as it is sent."""

    name: str
    content: bytes = attrs.field(repr=False)
    content_type: str = "application/octet-stream"


class Sink(Protocol):
    """Takes a body piece by piece."""

    async def start(self) -> None:
        """Begin, or begin again: whatever was taken so far belonged to an attempt that failed."""
        ...

    async def write(self, piece: bytes) -> None:
        """Take a piece."""
        ...


class RequestOptions(TypedDict, total=False):
    """The optional fields of `Request`, which its constructors pass on."""

    payload: PayloadPath
    params: Params
    json: object
    form: tuple[tuple[str, str | File], ...]
    headers: Mapping[str, str]
    authenticate: bool
    allows_empty_body: bool
    sink: Sink | None
    timeout: Timeout | float | None
    recovery_hint: str
    reconciler: Reconciler | None
    send_target: str
    idempotency_key: str | None
    before_send: Callable[[], Awaitable[None]] | None
    secrets: tuple[str, ...]


@attrs.frozen
class Request(Generic[T_co]):
    """An operation of the service as a value: what to ask, what it does, and where the answer lies.

    `T_co` is the type of the result.
    """

    method: str
    path: str
    """From the root of the host, with the trailing slash exactly as documented."""
    effect: Effect
    operation: str
    """Its name here, e.g. `"campaigns.run"`."""
    model: type[T_co]
    """What the payload is read into; `Response` for the raw answer."""
    payload: PayloadPath = ()
    params: Params = attrs.field(default=(), repr=False)
    json: object = attrs.field(default=None, repr=False)
    """The body, if it is JSON; None for no body."""
    form: tuple[tuple[str, str | File], ...] = attrs.field(default=(), repr=False)
    """The body, if it is multipart/form-data; a list is a name that comes several times."""
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    authenticate: bool = True
    allows_empty_body: bool = False
    """Whether the documents do not print the answer: text, or nothing at all, is then taken as well."""
    sink: "Sink | None" = attrs.field(default=None, repr=False)
    """Takes the body of a good answer piece by piece, instead of memory."""
    timeout: Timeout | None = attrs.field(default=None, converter=_limit)
    """None for the session's."""
    recovery_hint: str = ""
    """How to find out whether it happened, in words that follow "To find out, "."""
    reconciler: Reconciler | None = attrs.field(default=None, repr=False)
    """Finds it out."""
    send_target: str = ""
    """What rings as a whole, such as a campaign: a ledger lets it ring once."""
    idempotency_key: str | None = attrs.field(default=None, repr=False)
    """The caller's word for this send: a ledger lets it be sent once."""
    before_send: Callable[[], Awaitable[None]] | None = attrs.field(default=None, repr=False)
    """Awaited at the last moment before the first byte of an attempt; what it raises ends the call."""
    glance: "PageDecoder | None" = attrs.field(default=None, repr=False)
    """Looks at the answer first, where it is one of many of the same form."""
    secrets: tuple[str, ...] = attrs.field(default=(), repr=False)
    """Values in the request that no text may ever show, beside those that show themselves by their form."""

    # One constructor for each effect, so that an endpoint stands on one line and its effect is the verb.

    @staticmethod
    def read(
        path: str, model: type[T], operation: str, *, method: str = "GET", **options: Unpack[RequestOptions]
    ) -> "Request[T]":
        """Return a request that changes nothing (`Effect.READ`)."""
        return Request(method, path, Effect.READ, operation, model, **options)

    @staticmethod
    def update(
        path: str, model: type[T], operation: str, *, method: str = "PATCH", **options: Unpack[RequestOptions]
    ) -> "Request[T]":
        """Return a request that may be sent twice with the same result (`Effect.UPDATE`)."""
        return Request(method, path, Effect.UPDATE, operation, model, **options)

    @staticmethod
    def delete(path: str, model: type[T], operation: str, **options: Unpack[RequestOptions]) -> "Request[T]":
        """Return a request that deletes something (`DELETE`, `Effect.UPDATE`)."""
        return Request("DELETE", path, Effect.UPDATE, operation, model, **options)

    @staticmethod
    def create(
        path: str, model: type[T], operation: str, *, method: str = "POST", **options: Unpack[RequestOptions]
    ) -> "Request[T]":
        """Return a request that creates something (`Effect.CREATE`)."""
        return Request(method, path, Effect.CREATE, operation, model, **options)

    @staticmethod
    def send(path: str, model: type[T], operation: str, **options: Unpack[RequestOptions]) -> "Request[T]":
        """Return a request that calls or texts someone, or spends money (`POST`, `Effect.SEND`)."""
        return Request("POST", path, Effect.SEND, operation, model, **options)

    @property
    def query(self) -> str:
        """The query, as it stands behind the question mark."""
        return encode_query(self.params)

    def with_json(self, fields: Mapping[str, Any]) -> "Request[T_co]":
        """Return the request with a JSON body."""
        return attrs.evolve(self, json=fields)

    def with_form(self, fields: Mapping[str, Any], files: Mapping[str, File]) -> "Request[T_co]":
        """Return the request with a multipart body; a list becomes a name that comes several times."""
        pairs: list[tuple[str, str | File]] = []
        for name, value in fields.items():
            values = cast("list[Any]", value) if isinstance(value, list) else [value]
            pairs += [(name, str(part)) for part in values]
        return attrs.evolve(self, form=(*pairs, *files.items()))

    def with_secrets(self, headers: Mapping[str, str]) -> "Request[T_co]":
        """Return the request with the token of these headers among what no text about it may show."""
        return attrs.evolve(self, secrets=(*self.secrets, headers.get("Authorization", "").partition(" ")[2]))

    def redact(self, text: str, *, codes: bool = False) -> str:
        """Mask in a text of the service whatever must not be shown; with `codes` every run of four digits and more."""
        for secret in filter(None, self.secrets):
            # As it is, and in both ways in which it is written in a JSON body that is shown unread.
            for form in {secret, *(json.dumps(secret, ensure_ascii=escaped)[1:-1] for escaped in (True, False))}:
                text = text.replace(form, SECURE)
        return redact(text, codes=codes or self.operation.startswith("otp"))


def encode_query(params: Params) -> str:
    """Return parameters as they stand behind the question mark."""
    return "&".join([_pair(name, value) for name, value in params])


def _pair(name: str, value: str) -> str:
    both = name + value
    return f"{name}={value}" if both.isalnum() and both.isascii() else f"{_quoted(name)}={_quoted(value)}"


_quoted = functools.lru_cache(maxsize=256)(quote_plus)  # The names of parameters come with every request.


def _no_headers() -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict())


@attrs.define
class Response:
    """What came back: status, headers and bytes. The body is decoded once, when it is first looked at."""

    status: int
    headers: CIMultiDictProxy[str] = attrs.field(factory=_no_headers, repr=False)
    body: bytes = attrs.field(default=b"", repr=False)
    _json: Any = attrs.field(default=..., init=False, repr=False, eq=False)

    def json(self) -> Any:
        """Return the body as JSON, whatever the content type claims.

        Raises:
            ValueError: The body is not JSON.
        """
        # Mistyped answers were seen (text/html holding JSON), so the bytes are asked and not the header.
        if self._json is ...:
            self._json = loads(self.body)
        return self._json
