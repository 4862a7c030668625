"""Requests and responses as values, and the error for a response that cannot be decoded. No I/O, no endpoint."""

import enum
import functools
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar, cast
from urllib.parse import quote, quote_plus

import attrs
from multidict import CIMultiDict, CIMultiDictProxy

from tingting_async.errors import DecodeError
from tingting_async.http.download import FileSink
from tingting_async.http.json import loads
from tingting_async.http.timeouts import Timeout
from tingting_async.outcomes import Creation, Reconciler, Reconciliation, Verdict, known_outcome
from tingting_async.redaction import SECURE, redact, repr_text

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Params = tuple[tuple[str, str], ...]
"""A query: pairs of strings, in the order in which they are sent."""

PayloadPath = tuple[str | int, ...]
"""The path to a part of a JSON value: keys of objects and indexes of arrays."""


class Effect(enum.Enum):
    """What a request does to the world. The effect decides whether the request may be retried.

    Attributes:
        READ: It changes nothing.
        UPDATE: Doing it twice has the same result as doing it once: update, delete.
        CREATE: Doing it twice creates two things.
        SEND: It calls or texts a person, or spends money.
        REVOKE: It ends something that may still be in use, such as the previous API token.
    """

    READ = "read"
    UPDATE = "update"
    CREATE = "create"
    SEND = "send"
    REVOKE = "revoke"

    @property
    def is_safe(self) -> bool:
        """Whether a request of this effect changes nothing (RFC 9110, section 9.2.1)."""
        return self is Effect.READ

    @property
    def is_idempotent(self) -> bool:
        """Whether sending a request twice has the same effect as sending it once (RFC 9110, section 9.2.2)."""
        return self in (Effect.READ, Effect.UPDATE)


def _limit(value: Timeout | float | None) -> Timeout | None:
    return None if value is None else Timeout.of(value)


_CONTENT_TYPES = {
    "aac": "audio/aac",
    "csv": "text/csv",
    "flac": "audio/flac",
    "m4a": "audio/mp4",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "wav": "audio/wav",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
"""By suffix. Python's own table depends on the machine."""


def content_type_of(name: str) -> str:
    """Return the media type that the suffix of a file's name stands for."""
    suffix = name.rpartition(".")[2].lower() if isinstance(name, str) else ""
    return _CONTENT_TYPES.get(suffix, "application/octet-stream")


@attrs.frozen
class File:
    """A file to upload.

    Attributes:
        name: The file name; its suffix must be one that the operation accepts.
        content: The bytes of the file.
        content_type: The media type. By default, the one that the suffix of the name stands for.
    """

    name: str = attrs.field(repr=repr_text)
    content: bytes = attrs.field(repr=False)
    content_type: str = attrs.field(
        default=attrs.Factory(lambda file: content_type_of(file.name), takes_self=True), repr=repr_text
    )


@attrs.frozen(slots=False)  # Every send with a ledger copies one, and a dictionary is copied much faster than slots.
class Request(Generic[T_co]):
    """An operation of the service as a value: what to send, its effect, and where the result is in the response.

    `T_co` is the type of the result.
    """

    method: str
    path: str = attrs.field(repr=repr_text)
    """The path from the root of the host, with or without a trailing slash, exactly as documented."""
    effect: Effect
    operation: str
    """The name of the operation, e.g. `"campaigns.run"`."""
    model: type[T_co]
    """The type to decode the payload into; `Response` for the raw response."""
    payload: PayloadPath = ()
    """The path to the payload in the response."""
    params: Params = attrs.field(default=(), repr=False)
    json: object = attrs.field(default=None, repr=False)
    """The JSON body; None for no JSON body."""
    form: tuple[tuple[str, str | File], ...] = attrs.field(default=(), repr=False)
    """The fields of a multipart/form-data body. A name may occur several times."""
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    authenticate: bool = True
    allows_empty_body: bool = False
    """Whether plain text or an empty body is accepted, because the documents do not print the response."""
    sink: FileSink | None = attrs.field(default=None, repr=False)
    """Receives the body of a response with status 200 piece by piece, so that it is not held in memory."""
    must_prove_end: bool = False
    """Whether a body that may be cut short is an error, because nothing in the content would show it (`Inflater`)."""
    timeout: Timeout | None = attrs.field(default=None, converter=_limit)
    """The limits of this call; None for the session's."""
    recovery_hint: str = ""
    """How to find out whether the request was carried out. The text follows "To find out, "."""
    reconciler: Reconciler | None = attrs.field(default=None, repr=False)
    """Finds out whether the request was carried out; None if only a person can, as `recovery_hint` says."""
    send_target: str = attrs.field(default="", repr=repr_text)
    """What the send belongs to, such as a campaign. A ledger allows one send for each target."""
    recipient: str = attrs.field(default="", repr=False)
    """Whom a send reaches, if no body says so. A ledger compares it, as it does a body, if the key was used before."""
    idempotency_key: str | None = attrs.field(default=None, repr=False)
    """The caller's name for this send or creation. A ledger allows one for each key."""
    creation: Creation | None = attrs.field(default=None, repr=False)
    """How a creation with an `idempotency_key` is recognised afterwards."""
    before_send: Callable[[], Awaitable[None]] | None = attrs.field(default=None, repr=False)
    """Awaited before an attempt connects, and again once it has a connection. If it raises, the call ends with that
    error, and nothing is sent."""
    before_first_byte: Callable[[], None] | None = attrs.field(default=None, repr=False)
    """Called immediately before the first byte of an attempt is written. If it raises, nothing is sent."""
    reaches: Callable[[Any], Awaitable[Any]] | None = attrs.field(default=None, repr=False)
    """Finds out whom a send reaches, or whom a later send reaches because of this request; called only by guards."""
    without_effect: Callable[[], None] | None = attrs.field(default=None, repr=False)
    """Called after `before_send`, if the attempt turns out not to have left, or to have been refused."""
    secrets: tuple[str, ...] = attrs.field(default=(), repr=False)
    """Values that no error text may show, in addition to those that `redact` recognises by their form."""

    @property
    def is_claimed(self) -> bool:
        """Whether a ledger has the request, and sees to it that it is sent once."""
        return self.before_send is not None

    # One constructor for each effect, whose `options` are other fields: an endpoint stands on one line, and its effect
    # is the verb.

    @staticmethod
    def read(path: str, model: type[T], operation: str, *, method: str = "GET", **options: Any) -> "Request[T]":
        """Return a request that changes nothing (`Effect.READ`)."""
        return Request(method, path, Effect.READ, operation, model, **options)

    @staticmethod
    def update(path: str, model: type[T], operation: str, *, method: str = "PATCH", **options: Any) -> "Request[T]":
        """Return a request that may be sent twice with the same result (`Effect.UPDATE`)."""
        return Request(method, path, Effect.UPDATE, operation, model, **options)

    @staticmethod
    def delete(path: str, model: type[T], operation: str, **options: Any) -> "Request[T]":
        """Return a request that deletes something (`DELETE`, `Effect.UPDATE`)."""
        return Request("DELETE", path, Effect.UPDATE, operation, model, **options)

    @staticmethod
    def create(
        path: str,
        model: type[T],
        operation: str,
        *,
        method: str = "POST",
        reconciler: Reconciler | None = None,
        **options: Any,
    ) -> "Request[T]":
        """Return a request that creates something (`Effect.CREATE`)."""
        return Request(method, path, Effect.CREATE, operation, model, reconciler=reconciler, **options)

    @staticmethod
    def send(
        path: str, model: type[T], operation: str, *, reconciler: Reconciler | None = None, **options: Any
    ) -> "Request[T]":
        """Return a request that calls or texts someone, or spends money (`POST`, `Effect.SEND`)."""
        return Request("POST", path, Effect.SEND, operation, model, reconciler=reconciler, **options)

    @property
    def advice(self) -> str:
        """How to find out whether the request was carried out, as a sentence after a space; empty without a hint."""
        return f" To find out, {self.recovery_hint}." if self.recovery_hint else ""

    @property
    def reconciler_or_advice(self) -> Reconciler:
        """What `reconcile()` of an error does. Without a `reconciler`, it says what a person can do."""
        if self.reconciler is not None:
            return self.reconciler
        reason = f"The service shows no proof of what became of {self.operation}.{self.advice}"
        return functools.partial(known_outcome, Reconciliation(Verdict.UNKNOWN, reason))

    @property
    def query(self) -> str:
        """The query string, without the question mark."""
        return encode_query(self.params)

    def replaced(self, **fields: Any) -> "Request[T_co]":
        """Return the request with these values. Unlike `attrs.evolve`, which takes longer, this converts nothing."""
        made = object.__new__(type(self))
        object.__setattr__(made, "__dict__", self.__dict__ | fields)
        return made

    def with_json(self, fields: Mapping[str, Any]) -> "Request[T_co]":
        """Return the request with a JSON body."""
        return self.replaced(json=fields)

    def with_form(self, fields: Mapping[str, Any], files: Mapping[str, File]) -> "Request[T_co]":
        """Return the request with a multipart body. A list becomes several fields of the same name."""
        pairs: list[tuple[str, str | File]] = []
        for name, value in fields.items():
            values = cast("list[Any]", value) if isinstance(value, list) else [value]
            pairs += [(name, str(part)) for part in values]
        return self.replaced(form=(*pairs, *files.items()))

    def with_secrets(self, headers: Mapping[str, str]) -> "Request[T_co]":
        """Return the request with the token of these headers among its secrets."""
        return self.replaced(secrets=(*self.secrets, headers.get("Authorization", "").partition(" ")[2]))

    def redact(self, text: str, *, codes: bool = False, length: int = 500) -> str:
        """Return the start of a text of the service, with secrets masked.

        Args:
            text: The text.
            codes: Whether to mask every run of four or more digits.
            length: The length of the longest result.
        """
        # Masking takes time, and a server decides how long its text is. But mask before cutting: half a token would not
        # be recognised.
        if len(text) > 16 * length:
            text = text[: 16 * length]
            text = text[: text.rfind(" ")] if " " in text else text
        for secret in filter(None, self.secrets):
            for form in _forms(secret):
                text = text.replace(form, SECURE)
        text = redact(text, codes=codes or self.operation.startswith("otp"))
        return text if len(text) <= length else text[: length - 1] + "…"


def _forms(secret: str) -> set[str]:
    """Return how an undecoded body may hold a secret: as it is, in JSON, in HTML or in a URL."""
    escaped = json.dumps(secret), json.dumps(secret, ensure_ascii=False)
    return {secret, *(each[1:-1] for each in escaped), secret.translate(_IN_HTML), quote(secret), quote_plus(secret)}


# As `html.escape` does, without importing the table of all entities, which costs as much as several modules.
_IN_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})


def encode_query(params: Params) -> str:
    """Return parameters as a query string, without the question mark."""
    return "&".join(
        [
            f"{name}={value}"
            if (both := name + value).isalnum() and both.isascii()
            else f"{_quoted(name)}={_quoted(value)}"
            for name, value in params
        ]
    )


_quoted = functools.lru_cache(maxsize=256)(quote_plus)  # Every request repeats the names of parameters.


@attrs.define
class Response:
    """The status, the headers and the body of a response. `json()` parses the body once, on first use."""

    status: int
    headers: CIMultiDictProxy[str] = attrs.field(factory=lambda: CIMultiDictProxy(CIMultiDict()), repr=False)
    body: bytes = attrs.field(default=b"", repr=False)
    _json: Any = attrs.field(default=..., init=False, repr=False, eq=False)

    def json(self) -> Any:
        """Return the body parsed as JSON, regardless of its content type.

        Raises:
            ValueError: The body is not JSON.
        """
        # The service was seen to send JSON as text/html, so the header is not checked.
        if self._json is ...:
            self._json = loads(self.body)
        return self._json


def decode_error(
    request: Request[Any],
    response: Response,
    what: str,
    path: PayloadPath = (),
    problems: tuple[tuple[str, str], ...] = (),
) -> DecodeError:
    """Return the error for a response that cannot be decoded.

    Args:
        request: The request, with the secrets that the text must not show.
        response: The response.
        what: What is wrong with the response. The text follows "the response to GET /path/ ".
        path: The path of a part that is missing.
        problems: Every path that cannot be decoded, and what is wrong there; by default, that `path` is missing.
    """
    problems = problems or (((format_path(path), "missing"),) if path else ())
    shown = excerpt(request, response)
    return DecodeError(
        f"{request.operation}: the response to {request.method} {request.path} {what}"
        + (f": {shown!r}." if shown else "."),
        path=problems[0][0] if problems else "",
        problems=problems,
        excerpt=shown,
        body=response.body,
        status=response.status,
        operation=request.operation,
    )


def format_path(path: PayloadPath) -> str:
    """Return a path as text, e.g. `result.campaign-lists[3].id`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


# The message to a person contains the code, in any spelling.
_MESSAGE = r'("message"\s*:\s*)"(?:[^"\\]|\\.)*"?'


def excerpt(request: Request[Any], response: Response, *, length: int = 200) -> str:
    """Return the start of a body on one line, with digits and secrets masked."""
    # Mask before cutting: half a token would not be recognised.
    words = response.body[: 16 * length].decode(errors="replace").split()
    if len(response.body) > 16 * length and len(words) > 1:
        words.pop()
    text = " ".join(words)
    if request.operation.startswith("otp"):
        text = re.sub(_MESSAGE, rf'\1"{SECURE}"', text)
    return request.redact(text, codes=True, length=length)
