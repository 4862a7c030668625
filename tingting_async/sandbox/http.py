"""What the handlers of both generations share: authentication, decorators, body parsing and JSON responses."""

import json
import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar, cast
from urllib.parse import parse_qs

from aiohttp import web
from yarl import URL

from tingting_async.sandbox.fields import Field
from tingting_async.sandbox.options import Options
from tingting_async.sandbox.records import Account
from tingting_async.sandbox.service import SERVICE, Service
from tingting_async.sandbox.tokens import unauthorized
from tingting_async.sandbox.world import World

P = ParamSpec("P")
Found = TypeVar("Found")
Item = TypeVar("Item")
Body = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
AnonymousEndpoint = Callable[[web.Request, Service], Awaitable[web.StreamResponse]]
Endpoint = Callable[Concatenate[web.Request, Service, Account, P], Awaitable[web.StreamResponse]]
"""A handler for a signed-in account. Each decorator between `signed_in` and the handler supplies one of `P`."""
Find = Callable[[World, Account, int], Found | None]
NOT_ACTIVATED = {"detail": "Account is not activated."}
ErrorResponder = Callable[[Options, Mapping[str, str]], web.Response]


class ValidationError(Exception):
    """Invalid input: a message for each invalid field."""

    def __init__(self, **fields: str) -> None:
        super().__init__(fields)
        self.fields = fields


def json_response(value: Any, status: int = 200) -> web.Response:
    """Return a JSON response."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if not is_text(text):  # Such as a list of requests, with the body of one that was refused for this reason.
        text = json.dumps(value, separators=(",", ":"))
    return web.Response(body=text.encode(), status=status, content_type="application/json")


def anonymous(handler: AnonymousEndpoint, error_response: ErrorResponder) -> Handler:
    """Serve requests without credentials, and turn a `ValidationError` into its response."""

    async def serve(request: web.Request) -> web.StreamResponse:
        service = request.app[SERVICE]
        try:
            return await handler(request, service)
        except ValidationError as error:
            return error_response(service.options, error.fields)

    return serve


def signed_in(handler: Endpoint[[]], error_response: ErrorResponder) -> Handler:
    """Serve only requests with a valid JWT or API token, and turn a `ValidationError` into its response."""

    async def serve(request: web.Request, service: Service) -> web.StreamResponse:
        body, status = unauthorized(service.options)
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if not token:
            return json_response({"detail": "Authentication credentials were not provided."}, status)
        account = service.tokens.account(token, "access")
        account = account or next((each for each in service.world.accounts if each.api_token == token), None)
        if scheme != "Bearer" or account is None:
            return json_response(body, status)
        if not account.is_activated:
            return json_response(NOT_ACTIVATED, 401)
        return await handler(request, service, account)

    return anonymous(serve, error_response)


def with_body(**fields: Field) -> Callable[[Endpoint[[dict[str, Any]]]], Endpoint[[]]]:
    """Pass the fields of the request's body to the handler.

    Args:
        **fields: The types of some fields. A missing or null field is not checked.
    """

    def decorate(handler: Endpoint[[dict[str, Any]]]) -> Endpoint[[]]:
        async def serve(request: web.Request, service: Service, account: Account) -> web.StreamResponse:
            return await handler(request, service, account, await read_body(request, **fields))

        return serve

    return decorate


def with_found(
    handler: Endpoint[Concatenate[Found, P]], find: Find[Found], not_found: Callable[[], web.Response]
) -> Endpoint[P]:
    """Pass the object with the id in the path to the handler, or respond with `not_found()`."""

    async def serve(
        request: web.Request, service: Service, account: Account, /, *args: P.args, **kwargs: P.kwargs
    ) -> web.StreamResponse:
        found = find(service.world, account, int(request.match_info["id"]))
        return not_found() if found is None else await handler(request, service, account, found, *args, **kwargs)

    return serve


async def read_body(request: web.Request, **fields: Field) -> dict[str, Any]:
    """Return the fields of a JSON or form body. A file is its bytes, a repeated field a list.

    Args:
        request: The request.
        **fields: The types of some fields. A missing or null field is not checked.
    """
    body = decode(request.headers.get("Content-Type", ""), await request.read())
    wrong: dict[str, str] = {}
    for name, field in fields.items():
        if body.get(name) is not None:
            try:
                body[name] = field(body[name])
            except ValueError as error:
                wrong[name] = str(error)
    if wrong:
        raise ValidationError(**wrong)
    return body


def decode(content_type: str, raw: bytes) -> dict[str, Any]:
    """Return the fields of a JSON or form body. A file is its bytes, a repeated field a list.

    Args:
        content_type: The header `Content-Type`. A body that is not declared as a form is read as JSON.
        raw: The body.

    Raises:
        ValidationError: The body is not valid, or not an object.
    """
    kind = content_type.partition(";")[0].strip().lower()
    try:
        match kind:
            case "multipart/form-data":
                return _read_multipart(content_type, raw)
            case "application/x-www-form-urlencoded":  # The vendor's own client sends some bodies in this form.
                pairs = parse_qs(raw.decode())
                return {name: values[0] if len(values) == 1 else values for name, values in pairs.items()}
            case _:
                body = _read_json(raw)
    except (ValueError, RecursionError) as error:
        form = "Form" if kind.endswith(("form-data", "urlencoded")) else "JSON"
        raise ValidationError(detail=f"{form} parse error - {error}") from None
    if not isinstance(body, dict):
        raise ValidationError(non_field_errors="Invalid data. Expected a dictionary.")
    return cast("dict[str, Any]", body)


def _read_json(raw: bytes) -> Any:
    """Return a JSON body. Everything in it can be written as JSON in UTF-8 again, as responses and files need it."""

    def refuse(name: str) -> None:
        raise ValueError(
            f"Out of range float values are not JSON compliant: {name!r}"
        )  # As Django REST framework does.

    body = json.loads(raw.decode() or "{}", parse_constant=refuse)
    if rb"\u" in raw and not is_text(json.dumps(body, ensure_ascii=False)):
        raise ValueError("Invalid \\u escape: half of a surrogate pair")
    return body


def is_text(value: str) -> bool:
    """Return whether a string can be encoded: it has no half of a surrogate pair, and no byte that is not UTF-8."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read_multipart(content_type: str, raw: bytes) -> dict[str, Any]:
    """Return the fields of a form. Names are read as Django reads them: as UTF-8, with escapes in quotes."""
    boundary = re.search(r'boundary="?([^";]+)', content_type)
    if boundary is None:
        raise ValueError("Invalid boundary in multipart")
    fields: dict[str, Any] = {}
    for part in (b"\r\n" + raw).split(b"\r\n--" + boundary[1].encode())[1:]:
        head, _, content = part.partition(b"\r\n\r\n")
        disposition = re.search(r"content-disposition:(.*)", head.decode(), re.IGNORECASE)
        if disposition is None:
            continue  # The end.
        parameters = dict(re.findall(r';\s*(\w+)="((?:\\.|[^"\\])*)"', disposition[1]))
        name = parameters.get("name", "")
        value: Any = content if "filename" in parameters else content.decode()
        if "filename" not in parameters and name in fields:
            before = fields[name]
            value = [*(cast("list[Any]", before) if isinstance(before, list) else [before]), value]
        fields[name] = value
    return fields


def require(body: Mapping[str, Any], *names: str) -> None:
    """Refuse a body in which one of these fields is missing or empty."""
    if missing := [name for name in names if not body.get(name)]:
        raise ValidationError(**dict.fromkeys(missing, "This field is required."))


def check_choice(body: Mapping[str, Any], name: str, choices: Collection[Any]) -> None:
    """Refuse a body if the field is present and has none of these values."""
    if name in body and body[name] not in choices:
        raise ValidationError(**{name: f'"{body[name]}" is not a valid choice.'})


def mobile(value: Any, field: str) -> str:
    """Return a phone number as digits."""
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{7,10}", str(value)):
        raise ValidationError(**{field: "Enter a valid phone number."})
    return str(value)


def shown_number(options: Options, number: str, documented: type[str] | type[int]) -> str | int:
    """Return a phone number as the options say: in the documents' type, or always in the same one."""
    is_integer = options.number_type == "integer" or (options.number_type == "documented" and documented is int)
    return int(number) if is_integer else number


def deleted(options: Options, documented: web.Response, message: web.Response) -> web.Response:
    """Return the response to a deletion: the one that the documents print, an empty 204, or a message."""
    if options.delete_response == "empty":
        return web.Response(status=204)
    return message if options.delete_response == "message" else documented


def page_items(items: Sequence[Item], start: int, stop: int, *, newest_first: bool = True) -> Sequence[Item]:
    """Return the items from `start` up to `stop`, without a copy of the whole list.

    Args:
        items: The whole list, oldest first.
        start: The index of the first item, at least 0.
        stop: The index after the last item.
        newest_first: Whether both count from the end of the list.
    """
    if not newest_first:
        return items[start:stop]
    total = len(items)
    return items[max(0, total - stop) : max(0, total - start)][::-1]


def arranged(request: web.Request, items: Sequence[Item]) -> Sequence[Item | None]:
    """Return a list as the options arrange it: None stands for a row that is counted by its pages, but not shown.

    Without such options it is the list itself, not a copy.
    """
    service = request.app[SERVICE]
    rows: Sequence[Item | None] = items
    if service.options.list_order == "ties":
        groups = [list(items[start : start + 3]) for start in range(0, len(items), 3)]
        for group in groups:
            service.world.random.shuffle(group)
        rows = [item for group in groups for item in group]
    if service.options.list_filter == "after_paging":
        hidden: list[Item | None] = [None] * 12  # More than a page, so that one is empty.
        half = len(rows) // 2
        rows = [None, *rows[:half], *hidden, *rows[half:], None]
    return rows


def shown_count(options: Options, count: int) -> int:
    """Return the number of rows that a page states for its list, as the options say."""
    return max(0, count + {"exact": 0, "high": 2, "low": -2}[options.list_count])


def origin(request: web.Request) -> str:
    """Return the scheme and host that a request was sent to."""
    return f"{request.scheme}://{request.host}"


def with_query(url: str, query: Mapping[str, Any]) -> URL:
    """Return a URL with its query replaced."""
    return URL(url).with_query({name: str(value) for name, value in query.items()})
