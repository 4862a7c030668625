"""Faults, by the control interface."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, get_args
from urllib.parse import quote_plus

import attrs
import msgspec
from aiohttp import web
from msgspec import Meta

from tingting_async.sandbox.control.inputs import ROOT, ControlError, Input, read_body
from tingting_async.sandbox.faults import Fault, Kind
from tingting_async.sandbox.http import json_response
from tingting_async.sandbox.received import ReceivedRequest
from tingting_async.sandbox.service import SERVICE

routes: web.RouteTableDef = web.RouteTableDef()
_KINDS = ", ".join(f'"{kind}"' for kind in get_args(Kind))
_Count = Annotated[int, Meta(ge=1)]
_Name = Annotated[str, Meta(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")]
_USES: Mapping[Kind, tuple[str, ...]] = {
    "status": ("status", "body", "headers"),
    "status_after": ("status", "body", "headers"),
    "redirect": ("status", "location"),
    "delay": ("delay",),
    "oversized": ("size",),
}
"""The fields that only some kinds use."""
_NEEDS: Mapping[Kind, str] = {"delay": "delay", "redirect": "location"}
_FRAMING = ("content-length", "transfer-encoding")
_Line = Annotated[str, Meta(pattern=r"^[^\x00-\x08\x0a-\x1f\x7f]*$")]


class NewFault(Input, frozen=True):
    """A fault to inject. The fields are those of `Fault`, with `body_contains` in place of `where`."""

    kind: Annotated[Kind, Meta(description=_KINDS)]
    method: Annotated[str, Meta(description="a pattern for the method, such as POST or *")] = "*"
    path: Annotated[str, Meta(description="a pattern for the path, such as */send/otp/")] = "*"
    query: Annotated[str | None, Meta(description="the exact query string, or null for any")] = None
    body_contains: Annotated[str | None, Meta(description="a text that the body contains, or null for any body")] = None
    nth: Annotated[_Count | None, Meta(description="a whole number from 1, or null for every request")] = None
    times: Annotated[_Count | None, Meta(description="a whole number from 1, or null for no limit")] = None
    status: Annotated[
        Annotated[int, Meta(ge=200, le=599)] | None, Meta(description="a status from 200 to 599, or null")
    ] = None
    body: Annotated[Any, Meta(description="any JSON value")] = None
    headers: Annotated[dict[_Name, _Line], Meta(description="an object with the names and values of headers")] = (
        msgspec.field(default_factory=dict[str, str])
    )
    delay: Annotated[
        Annotated[float, Meta(ge=0, le=86400)] | None, Meta(description="a number of seconds from 0 to 86400")
    ] = None
    size: Annotated[Annotated[int, Meta(ge=0, le=2**40)] | None, Meta(description="a whole number of bytes from 0")] = (
        None
    )
    location: Annotated[_Line | None, Meta(description="a URL without line breaks")] = None


@attrs.frozen
class BodyContains:
    """A condition on requests: the body contains a text, as it is, escaped in JSON, or encoded in a form."""

    text: str

    def __call__(self, request: ReceivedRequest) -> bool:
        """Return whether a request's body contains the text."""
        escaped = msgspec.json.encode(self.text)[1:-1]
        forms = (self.text.encode(), escaped, self.text.encode("ascii", "backslashreplace"), quote_plus(self.text))
        return any((form if isinstance(form, bytes) else form.encode()) in request.body for form in forms)


@routes.get(f"{ROOT}faults")
async def list_faults(request: web.Request) -> web.Response:
    """Return the faults, and the last times that a fault struck."""
    faults = request.app[SERVICE].faults
    struck = [{"at": each.at, "kind": each.kind, "method": each.method, "path": each.path} for each in faults.struck]
    return json_response({"faults": [_shown(fault) for fault in faults], "struck": struck})


@routes.post(f"{ROOT}faults")
async def add_fault(request: web.Request) -> web.Response:
    """Inject a fault."""
    new = read_body(await request.read(), NewFault)
    _check(new)
    fields = msgspec.structs.asdict(new)
    for name in ("delay", "size", "location"):
        if fields[name] is None:
            del fields[name]
    text = fields.pop("body_contains")
    if isinstance(fields["body"], str) and not _is_json(fields["headers"]):
        fields["body"] = fields["body"].encode()  # Such as a page of HTML.
    try:
        fault = Fault(**fields, where=None if text is None else BodyContains(text))
    except ValueError as error:  # Its text begins with the name of the field.
        raise ControlError(str(error), str(error).partition("=")[0]) from None
    return json_response(_shown(request.app[SERVICE].faults.add(fault)), 201)


@routes.delete(f"{ROOT}faults")
async def remove_faults(request: web.Request) -> web.Response:
    """Remove all faults, and let stalled requests continue."""
    faults = request.app[SERVICE].faults
    removed = [_shown(fault) for fault in faults]
    faults.clear()
    return json_response({"faults": removed})


@routes.delete(f"{ROOT}faults/{{id:\\d{{1,18}}}}")
async def remove_fault(request: web.Request) -> web.Response:
    """Remove a fault, and let the requests that it stalls continue."""
    fault = _find(request)
    request.app[SERVICE].faults.remove(fault)
    return json_response(_shown(fault))


@routes.post(f"{ROOT}faults/{{id:\\d{{1,18}}}}/release")
async def release_fault(request: web.Request) -> web.Response:
    """Let the requests that a fault stalls continue, later ones too."""
    fault = _find(request)
    fault.release()
    return json_response(_shown(fault))


def _check(new: NewFault) -> None:
    """Refuse a field that the kind does not use or lacks: the fault would not do what its author expects."""
    for name in ("status", "body", "headers", "delay", "size", "location"):
        if getattr(new, name) not in (None, {}) and name not in _USES.get(new.kind, ()):
            kinds = " and ".join(f'"{kind}"' for kind, used in _USES.items() if name in used)
            raise ControlError(f'{name} has no effect on a fault of the kind "{new.kind}": only {kinds} use it.', name)
    needed = _NEEDS.get(new.kind)
    if needed is not None and getattr(new, needed) in (None, ""):
        example = {"delay": 5, "location": "https://example.com/"}[needed]
        raise ControlError(
            f'{needed} is missing: a fault of the kind "{new.kind}" needs it, such as {json.dumps({needed: example})}.',
            needed,
        )
    if new.status in (204, 304) and new.body is not None:
        raise ControlError(f"body has no effect: a response with the status {new.status} has none.", "body")
    for name in new.headers:
        if name.lower() in _FRAMING:
            raise ControlError(f"headers: the sandbox sets {name} itself, so that the response is valid.", "headers")


def _find(request: web.Request) -> Fault:
    id_ = request.match_info["id"]
    for fault in request.app[SERVICE].faults:
        if str(fault.id) == id_:
            return fault
    raise ControlError(f"There is no fault {id_}. {ROOT}faults lists the faults.", status=404)


def _is_json(headers: dict[str, str]) -> bool:
    """Return whether a body with these headers is declared as JSON, as it is without any."""
    declared = next((value for name, value in headers.items() if name.lower() == "content-type"), "application/json")
    return "json" in declared.lower()


def _shown(fault: Fault) -> dict[str, Any]:
    return {
        "id": fault.id,
        "kind": fault.kind,
        "method": fault.method,
        "path": fault.path,
        "query": fault.query,
        "body_contains": fault.where.text if isinstance(fault.where, BodyContains) else None,
        "nth": fault.nth,
        "times": fault.times,
        "status": fault.status,
        "body": fault.body.decode(errors="replace") if isinstance(fault.body, bytes) else fault.body,
        "headers": dict(fault.headers),
        "delay": fault.delay,
        "size": fault.size,
        "location": fault.location,
        "count": fault.count,
        "is_waiting": fault.is_waiting,
        "has_stalled": fault.stalled.is_set(),
    }
