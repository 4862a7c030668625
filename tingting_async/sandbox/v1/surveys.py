"""Surveys: steps, templates and reports."""

import ast
import csv
import io
import json
from collections.abc import Mapping
from random import Random
from typing import Any, Concatenate, ParamSpec, cast

from aiohttp import web

from tingting_async.sandbox.fields import Field, decimal, integer, many, text
from tingting_async.sandbox.http import (
    Body,
    Endpoint,
    ValidationError,
    deleted,
    json_response,
    origin,
    read_body,
    require,
    with_body,
    with_found,
)
from tingting_async.sandbox.media import upload
from tingting_async.sandbox.records import Account, Campaign
from tingting_async.sandbox.service import Service
from tingting_async.sandbox.v1.common import (
    last_next,
    not_found,
    page,
    parse_step,
    query_integer,
    sent_voice,
    signed_in,
    silent,
    survey_id,
)
from tingting_async.sandbox.world import World

routes: web.RouteTableDef = web.RouteTableDef()

P = ParamSpec("P")
Template = dict[str, Any]


def _content(value: Any) -> list[dict[str, Any]]:
    """Convert steps, or their JSON as a string, which is how a form with audio files has them."""
    steps: list[dict[str, Any]] = many(parse_step)(json.loads(value) if isinstance(value, str) else value)
    return steps


def _read_steps(value: Any) -> list[dict[str, Any]] | None:
    """Convert steps in JSON, or in the form that the vendor's own client sends.

    That client posts a list of dictionaries as a form. With files, each step arrives as a Python literal. Without
    files, only the keys arrive, and the steps that were created with the campaign stay.
    """
    found: list[Any] = []
    for part in cast("list[Any]", value if isinstance(value, list) else [value]):
        step = part
        if isinstance(step, str):
            try:
                step = json.loads(step)
            except ValueError:
                try:
                    step = ast.literal_eval(step)
                except (SyntaxError, ValueError, TypeError):
                    return None
        found += cast("list[Any]", step) if isinstance(step, list) else [step]
    return [{"order": index, **parse_step(step)} for index, step in enumerate(found)]


_TEMPLATE_FIELDS: dict[str, Field] = {"name": text, "length_factor": decimal, "content": _content}
_FIELDS = ("id", "survey", "order", "content_type", "text_or_url", "response_type", "input_name", "audio_file")
_CONTENT = ("say", "play", "info")
_RESPONSES = ("dtmf", "raw_record", "none")
_STEPS = "/api/v1/campaign/create/{id:\\d+}/survey/"


def _find_survey(world: World, account: Account, id: int) -> Campaign | None:
    campaign = world.campaign(account, id)
    return campaign if campaign is not None and campaign.services == "SURVEY" else None


def with_survey(handler: Endpoint[Concatenate[Campaign, P]]) -> Endpoint[P]:
    """Pass the account's survey with the id in the path to the handler, or respond 404."""
    return with_found(handler, _find_survey, not_found)


def with_template(handler: Endpoint[Concatenate[Template, P]]) -> Endpoint[P]:
    """Pass the template with the id in the path to the handler, or respond 404."""
    return with_found(handler, lambda world, _, key: world.templates.get(key), not_found)


@routes.get(_STEPS)
@signed_in
@with_survey
async def steps(request: web.Request, service: Service, account: Account, campaign: Campaign) -> web.StreamResponse:
    """List a survey's steps."""
    if service.options.steps_pagination:
        return page(request, service.options, campaign.steps, _shown, newest_first=False)
    return json_response({"results": [_shown(step) for step in campaign.steps]})


@routes.post(_STEPS)
@routes.patch(_STEPS)
@signed_in
@with_body(steps=_read_steps)
@with_survey
async def set_steps(
    request: web.Request, service: Service, account: Account, campaign: Campaign, body: Body
) -> web.StreamResponse:
    """Set a survey's steps, with audio files named by the index of their step."""
    given = body.get("steps")
    updates = service.options.step_updates if request.method == "PATCH" else "replace"
    kept = {step["id"]: step for step in campaign.steps} if given is None or updates != "replace" else {}
    rows = list(kept.values()) if given is None else [_step(service, campaign, step, kept) for step in given]
    for index, step in enumerate(rows):
        if isinstance(sound := body.get(str(index)), bytes):
            step["audio_file"] = upload(request, service, f"{step['id']}.mp3", sound)
    others = [step for key, step in kept.items() if updates == "keep" and key not in {row["id"] for row in rows}]
    campaign.steps = sorted([*others, *rows], key=lambda step: step["order"])
    service.world.record("steps", campaign.id)
    return silent(service.options, "Survey steps saved.", service.options.created_status)


@routes.delete(_STEPS)
@signed_in
@with_survey
async def delete_steps(
    request: web.Request, service: Service, account: Account, campaign: Campaign
) -> web.StreamResponse:
    """Delete a survey's steps."""
    campaign.steps = []
    return deleted(service.options, web.Response(status=204), json_response({"message": "Successfully Deleted."}))


def _step(
    service: Service, campaign: Campaign, step: dict[str, Any], kept: Mapping[int, dict[str, Any]]
) -> dict[str, Any]:
    """Return a step that is given as it is stored: over the one with its id among those that are kept, or anew."""
    id_ = step.get("id")
    before = kept.get(id_) if isinstance(id_, int) else None
    before = before or {"id": service.world.id(), "survey": survey_id(service, campaign)}
    merged = {**before, **step, "id": before["id"], "survey": before["survey"]}
    if problem := _problem(merged):
        raise ValidationError(**problem)
    return merged


def _problem(step: dict[str, Any]) -> dict[str, str]:
    if step.get("content_type") not in _CONTENT:
        return {"content_type": "This field is required." if not step.get("content_type") else "Not a valid choice."}
    if step.get("response_type", "none") not in _RESPONSES:
        return {"response_type": "Not a valid choice."}
    if isinstance(step.get("audio_file"), str) and not step["audio_file"].startswith("http"):
        return {"audio_file": "The submitted data was not a file. Check the encoding type on the form."}
    if len(str(step.get("input_name") or "")) > 128:
        return {"input_name": "Ensure this field has no more than 128 characters."}
    return {}


def _shown(step: dict[str, Any]) -> dict[str, Any]:
    return {name: step.get(name) for name in _FIELDS}


def _find_reported(service: Service, account: Account, id: int) -> Campaign | None:
    surveys = (each for each in service.world.campaigns_of(account) if each.services == "SURVEY")
    return next((each for each in surveys if survey_id(service, each) == id), None)


@routes.get("/api/v1/download/survey/{id:\\d+}/report/")
@signed_in
async def report(request: web.Request, service: Service, account: Account) -> web.StreamResponse:
    """Return the recipients' responses as CSV or JSON."""
    campaign = _find_reported(service, account, int(request.match_info["id"]))
    if campaign is None:
        return not_found()
    questions = [step for step in campaign.steps if step.get("response_type") not in (None, "none")]
    names = [str(step.get("input_name")) for step in questions]
    rows = [
        {"number": contact.number, "status": contact.status, **{name: _response(contact.id, name) for name in names}}
        for contact in campaign.contacts
        if contact.status in ("completed", "hungup")
    ]
    if request.query.get("format") == "json":
        return json_response(rows)
    table = io.StringIO()
    sheet = csv.DictWriter(table, ["number", "status", *names])
    sheet.writeheader()
    sheet.writerows(rows)
    return web.Response(text=table.getvalue(), content_type="text/csv")


def _response(contact: int, name: str) -> str:
    return str(Random(f"{contact} {name}").randint(1, 5))


@routes.get("/api/v1/survey-templates/")
@signed_in
async def list_templates(request: web.Request, service: Service, account: Account) -> web.StreamResponse:
    """List the templates by `page` and `page_size`, without `total_pages` (sample v1_survey_templates.json)."""
    search = request.query.get("search", "").lower()
    rows = [each for each in reversed(service.world.templates.values()) if search in each["name"].lower()]
    number, size = (max(1, query_integer(request, name, default)) for name, default in (("page", 1), ("page_size", 10)))
    if (number - 1) * size >= max(1, len(rows)):
        return json_response({"detail": "Invalid page."}, 404)
    base = f"{service.options.link_base or origin(request)}{request.path}"
    following = f"{base}?page={number + 1}&page_size={size}"
    after = following if number * size < len(rows) else last_next(service.options)
    before = f"{base}?page={number - 1}&page_size={size}" if number > 1 else None
    shown = rows[(number - 1) * size : number * size]
    return json_response({"count": len(rows), "next": after, "previous": before, "results": shown})


@routes.post("/api/v1/survey-templates/")
@signed_in
@with_body(**_TEMPLATE_FIELDS)
async def create_template(request: web.Request, service: Service, account: Account, body: Body) -> web.StreamResponse:
    """Create a template, as JSON or with its audio files (sample v1_survey_template.json)."""
    require(body, "name")
    template: dict[str, Any] = {
        "id": service.world.id(),
        "name": body["name"],
        "voice": None,
        "length_factor": "1.00",
        "content": [],
        "created_at": service.clock.iso(),
    }
    _fill(request, service, template, body)
    service.world.templates[template["id"]] = template
    service.world.record("template", template["id"], target=body["name"])
    return json_response(template, service.options.created_status)


@routes.get("/api/v1/survey-templates/{id:\\d+}/")
@routes.patch("/api/v1/survey-templates/{id:\\d+}/")
@routes.delete("/api/v1/survey-templates/{id:\\d+}/")
@signed_in
@with_template
async def template(request: web.Request, service: Service, account: Account, found: Template) -> web.StreamResponse:
    """Show, update or delete a template."""
    if request.method == "DELETE":
        del service.world.templates[found["id"]]
        message = json_response({"message": "Successfully Deleted."})
        return deleted(service.options, web.Response(status=204), message)
    if request.method == "PATCH":
        _fill(request, service, found, await read_body(request, **_TEMPLATE_FIELDS))
    return json_response(found)


def _fill(request: web.Request, service: Service, template: dict[str, Any], body: Body) -> None:
    template["name"] = body.get("name") or template["name"]
    if "voice" in body:
        found = sent_voice(service, body["voice"])
        template["voice"] = None if found is None else {**found, "is_beta": False}
    if body.get("length_factor") is not None:
        template["length_factor"] = f"{body['length_factor']:.2f}"
    if body.get("content") is not None:
        merges = request.method == "PATCH" and service.options.step_updates != "replace"
        audio = {step["order"]: step["audio_file"] for step in template["content"]} if merges else {}
        numbered = [{"order": index, **step} for index, step in enumerate(body["content"])]
        template["content"] = [{"audio_file": audio.get(step["order"]), **step} for step in numbered]
    for step in template["content"]:
        if isinstance(sound := body.get(f"step_{step['order']}_audio_file"), bytes):
            step["audio_file"] = upload(request, service, f"{template['id']}-{step['order']}.mp3", sound)


@routes.post("/api/v1/survey-templates/{id:\\d+}/apply-to-campaign/")
@signed_in
@with_body(campaign_id=integer)
@with_template
async def apply_template(
    request: web.Request, service: Service, account: Account, found: Template, body: Body
) -> web.StreamResponse:
    """Add a template's steps to a survey (samples v1_survey_template_apply.json and …_207.json)."""
    campaign = service.world.campaign(account, body.get("campaign_id") or 0)
    if campaign is None:
        return json_response({"error": "Campaign not found."}, 404)
    if campaign.services != "SURVEY":
        return json_response({"error": "Campaign is not a survey."}, 400)
    created: list[dict[str, Any]] = []
    errors: list[dict[str, list[str]]] = []
    for step in cast("list[dict[str, Any]]", found["content"]):
        if problem := _problem(step):
            errors.append({name: [text] for name, text in problem.items()})
        else:
            created.append(_step(service, campaign, step, {}))
    campaign.steps = [*campaign.steps, *created]
    service.world.record("steps", campaign.id)
    if errors:
        return json_response(
            {"created": [{"id": step["id"], "order": step["order"]} for step in created], "errors": errors}, 207
        )
    applied = {"message": "Template applied successfully.", "steps": created}
    return json_response(applied, service.options.created_status)
