"""The fast path decodes pages in the documented envelope, and leaves all others to the strict hooks."""

import json
import linecache
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from tingting_async import classic, v1
from tingting_async.classic.models import Pagination
from tingting_async.classic.pages import RESPONSES as CLASSIC
from tingting_async.decoding.decoder import Decoder, ResponseFormat
from tingting_async.decoding.envelopes import PageEnvelope
from tingting_async.decoding.fields import extra_fields
from tingting_async.http.messages import Effect, PayloadPath, Request, Response
from tingting_async.v1.pages import RESPONSES as V1

SAMPLES = Path(__file__).parents[2] / "samples"


@attrs.frozen(kw_only=True)
class Row:
    id: int
    name: str | None = None
    extra: Mapping[str, Any] = extra_fields()


@attrs.frozen(kw_only=True)
class Position:
    number: int
    extra: Mapping[str, Any] = extra_fields()


@pytest.fixture
def responses() -> ResponseFormat:
    """Return a format whose pages have a model and a plain field around the rows, one beside them, and one at both."""
    inner = {"note": Any, "count": Any}
    return ResponseFormat(None, PageEnvelope("rows", outer={"position": Position, "count": Any}, inner=inner))


def decode(
    responses: ResponseFormat, model: type, body: bytes, path: PayloadPath, status: int = 200
) -> tuple[bool, tuple[list[Any], dict[str, Any]]]:
    """Return whether the fast path decodes a page, and the decoded page."""
    assert responses.fast is not None
    try:
        responses.fast.page_decoders[list[model], path](body)  # type: ignore[valid-type]
    except Exception:  # noqa: BLE001 - any refusal
        is_fast = False
    else:
        is_fast = True
    request = Request("GET", "/", Effect.READ, "rows", list[model], payload=path)  # type: ignore[valid-type]
    return is_fast, Decoder(responses).decode_rows(request, Response(status, body=body))


LISTS: dict[str, tuple[ResponseFormat, type, PayloadPath]] = {
    "classic_campaigns": (CLASSIC, classic.Campaign, ("result", "campaign-lists")),
    "v1_campaigns": (V1, v1.Campaign, ("results",)),
    "v1_contacts": (V1, v1.Contact, ("results",)),
    "v1_sent_otps": (V1, v1.SentOtp, ("results", "data")),
    "v1_survey_templates": (V1, v1.SurveyTemplate, ("results",)),
    "v1_voice_models": (V1, v1.Voice, ()),
    "v1_active_broker_phone": (V1, v1.Line, ()),
}


@pytest.mark.parametrize("name", LISTS)
def test_documented_lists(name: str) -> None:
    """The lists in the documents are decoded by the fast path, from the first page on, as by the strict hooks."""
    responses, model, path = LISTS[name]
    body = (SAMPLES / f"{name}.json").read_bytes()
    is_fast, (rows, beside) = decode(responses, model, body, path)
    payload: Any = json.loads(body)
    expected: dict[str, Any] = {}
    for step in path:
        expected = {**{key: value for key, value in payload.items() if key != step}, **expected}
        payload = payload[step]
    assert is_fast
    assert rows == responses.strict.structure(payload, list[model])  # type: ignore[valid-type]
    if "pagination" in expected:
        expected["pagination"] = responses.strict.structure(expected["pagination"], Pagination)
    assert beside == expected


def test_generated_code_has_names_of_its_own() -> None:
    """The code that decodes a page has a name in tracebacks and profiles that no other generated code has."""
    decoders = []
    for responses, model, path in LISTS.values():
        assert responses.fast is not None
        decoders.append(responses.fast.page_decoders[list[model], path])  # type: ignore[valid-type]
    names = {decode.__code__.co_filename for decode in decoders}
    assert len(names) == len(decoders)
    for name in names:
        assert linecache.getline(name, 1) == "def decode_page(body):\n"


@pytest.mark.parametrize("responses", [CLASSIC, V1], ids=["classic", "v1"])
def test_no_declared_field_reports_a_failure(responses: ResponseFormat) -> None:
    """No declared field of a page is one by which `is_failure` recognises a failure."""
    envelope = responses.envelope
    assert envelope is not None
    assert {*envelope.outer, envelope.rows} & {"success", "status", "error", "errors"} == set()


@pytest.mark.parametrize(
    ("body", "is_fast", "beside"),
    [
        ({"position": {"number": 1}, "rows": {"all": []}}, True, {"position": Position(number=1)}),
        ({"rows": {"all": [], "note": "n"}, "count": None}, True, {"note": "n", "count": None}),
        ({"rows": {"all": []}}, True, {}),
        ({"position": {"number": 1, "new": 2}, "rows": {"all": []}}, False, {"position": {"number": 1, "new": 2}}),
        ({"position": "odd", "rows": {"all": []}}, False, {"position": "odd"}),
        ({"count": 1, "rows": {"all": [], "count": 2}}, True, {"count": 1}),
        ({"count": None, "rows": {"all": [], "count": 2}}, True, {"count": None}),
        ({"rows": {"all": [], "count": 2}}, True, {"count": 2}),
        ({"new": 1, "rows": {"all": []}}, False, {"new": 1}),
        ({"rows": {"all": [], "new": 1}}, False, {"new": 1}),
        ({'a "name"': 1, "inner": 2, "field0": 3, "": 4, "rows": {"all": []}}, False,
         {'a "name"': 1, "inner": 2, "field0": 3, "": 4}),
    ],
)  # fmt: skip
def test_fields_beside_the_rows(
    responses: ResponseFormat, body: dict[str, Any], is_fast: bool, beside: dict[str, Any]
) -> None:
    """All fields beside the rows are kept; if one is not declared, the strict hooks decode the page."""
    for _ in range(2):
        assert decode(responses, Row, json.dumps(body).encode(), ("rows", "all")) == (is_fast, ([], beside))


def test_unknown_fields_of_a_row(responses: ResponseFormat) -> None:
    """An unknown field of a row is kept, and does not change how the next page is decoded."""
    known, new = b'{"rows": {"all": [{"id": 1}]}}', b'{"rows": {"all": [{"id": 1}, {"id": 2, "new": 5}]}}'
    for _ in range(2):
        assert decode(responses, Row, new, ("rows", "all")) == (False, ([Row(id=1), Row(id=2, extra={"new": 5})], {}))
        assert decode(responses, Row, known, ("rows", "all")) == (True, ([Row(id=1)], {}))


@pytest.mark.parametrize("path", [("rows",), ("rows", "all", "deep")])
def test_other_paths(responses: ResponseFormat, path: PayloadPath) -> None:
    """Rows at any path are decoded, by the fast path only if the envelope describes the path."""
    body: Any = [{"id": 1}]
    for step in reversed(path):
        body = {step: body}
    assert decode(responses, Row, json.dumps(body).encode(), path) == (path == ("rows",), ([Row(id=1)], {}))
