"""Survey templates: surveys that can be used again."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Unpack

from tingting_async.errors import UsageError
from tingting_async.http.messages import Request
from tingting_async.pagination.paginator import Paginator
from tingting_async.pagination.styles import PageNumberPagination
from tingting_async.quantities import is_count, shown
from tingting_async.resources import arguments
from tingting_async.resources.arguments import UNCHANGED, Unchanged
from tingting_async.resources.base import PageOptions, TimeoutLike
from tingting_async.v1.campaign_fields import encode_length_factor, voice_id
from tingting_async.v1.method_fallback import MethodFallback
from tingting_async.v1.models.accounts import Voice
from tingting_async.v1.models.common import Confirmation
from tingting_async.v1.models.surveys import NewStep, SurveyTemplate, TemplateApplied
from tingting_async.v1.pages import read_page
from tingting_async.v1.surveys import complete, encode_steps


class SurveyTemplates(MethodFallback):
    """Survey templates (v1 documents, Surveys, templates)."""

    def list(
        self, *, search: str | None = None, page_size: int = 10, **options: Unpack[PageOptions]
    ) -> Paginator[SurveyTemplate]:
        """List the templates (`GET survey-templates/`).

        Args:
            search: Only templates whose name contains this text.
            page_size: The number of templates on a page.
            **options: See `Resource`.
        """
        if not is_count(page_size):
            raise UsageError(f"`page_size` is {shown(page_size)}; it must be an integer of 1 or more.")
        params = arguments.given_fields(
            page_size=str(page_size),
            search=None if search in (None, "") else arguments.non_empty_text(search, "search"),
        )
        return self._paginate(
            Request.read(
                _PATH, list[SurveyTemplate], "survey_templates.list", payload=("results",), params=tuple(params.items())
            ),
            PageNumberPagination("page"),
            read_page,
            options,
        )

    async def get(self, id: int, *, timeout: TimeoutLike = None) -> SurveyTemplate:
        """Return a template (`GET survey-templates/<id>/`)."""
        return await self._core.execute(
            Request.read(_path(id), SurveyTemplate, "survey_templates.get", timeout=timeout)
        )

    async def create(
        self,
        name: str,
        content: Sequence[NewStep],
        *,
        voice: Voice | int | None = None,
        length_factor: Decimal | float | None = None,
        timeout: TimeoutLike = None,
    ) -> SurveyTemplate:
        """Create a template (`POST survey-templates/`).

        Args:
            name: The template's name.
            content: The steps, in their order.
            voice: The voice that reads them, in the account's language.
            length_factor: How much slower than normal the voice speaks.
            timeout: See `Resource`.

        Raises:
            UsageError: A step is not valid.
            BadRequestError: The voice speaks another language (`field_errors["voice"]`).
            OutcomeUnknownError: The template may have been created: look for its name before you create it again.
        """
        request = Request.create(
            _PATH,
            SurveyTemplate,
            "survey_templates.create",
            timeout=timeout,
            recovery_hint="look for its name with survey_templates.list(search=…)",
        )
        return await self._execute(
            await _with_content(
                request,
                name,
                content,
                UNCHANGED if voice is None else voice,
                UNCHANGED if length_factor is None else length_factor,
            ),
            *self._voice_forms(voice),
        )

    async def update(
        self,
        id: int,
        *,
        name: str | Unchanged = UNCHANGED,
        content: Sequence[NewStep] | Unchanged = UNCHANGED,
        voice: Voice | int | Unchanged | None = UNCHANGED,
        length_factor: Decimal | float | Unchanged = UNCHANGED,
        timeout: TimeoutLike = None,
    ) -> SurveyTemplate:
        """Change a template (`PATCH survey-templates/<id>/`). A field that is not given stays as it is.

        Args:
            id: The template's id.
            name: The name.
            content: All steps, in their order. The steps of a template have no ids, and the documents do not say
                whether a step without `audio_file` keeps the audio of the one that was in its place: look at the
                template that is returned.
            voice: The voice that reads them, in the account's language; None clears it.
            length_factor: How much slower than normal the voice speaks.
            timeout: See `Resource`.

        Raises:
            UsageError: Nothing to change is given, or a field or step is not valid.
            BadRequestError: The voice speaks another language (`field_errors["voice"]`).
        """
        arguments.changed_fields(
            "survey_templates.update", name=name, content=content, voice=voice, length_factor=length_factor
        )
        request = Request.update(_path(id), SurveyTemplate, "survey_templates.update", timeout=timeout)
        return await self._execute(
            await _with_content(request, name, content, voice, length_factor),
            *self._voice_forms(None if voice is UNCHANGED else voice),
        )

    async def delete(self, id: int, *, timeout: TimeoutLike = None) -> Confirmation:
        """Delete a template (`DELETE survey-templates/<id>/`)."""
        return await self._core.execute(
            Request.delete(_path(id), Confirmation, "survey_templates.delete", allows_empty_body=True, timeout=timeout)
        )

    async def apply(self, id: int, campaign_id: int, *, timeout: TimeoutLike = None) -> TemplateApplied:
        """Create a survey's steps from a template (`POST survey-templates/<id>/apply-to-campaign/`).

        Returns:
            The steps that were created. If some were not, `is_complete` is false and `errors` says why.

        Raises:
            OutcomeUnknownError: The template may have been applied: look at `surveys.steps()`.
        """
        return await self._core.execute(
            Request.create(
                f"{_path(id)}apply-to-campaign/",
                TemplateApplied,
                "survey_templates.apply",
                json={"campaign_id": arguments.identifier(campaign_id, "campaign_id")},
                timeout=timeout,
                recovery_hint=f"look at surveys.steps({campaign_id})",
            )
        )


_PATH = "/api/v1/survey-templates/"


def _path(id: int) -> str:
    return f"{_PATH}{arguments.identifier(id)}/"


async def _with_content(
    request: Request[SurveyTemplate],
    name: str | Unchanged,
    content: Sequence[NewStep] | Unchanged,
    voice: Voice | int | Unchanged | None,
    length_factor: Decimal | float | Unchanged,
) -> Request[SurveyTemplate]:
    fields: dict[str, Any] = {}
    if name is not UNCHANGED:
        fields["name"] = arguments.non_empty_text(name, "name")
    if voice is not UNCHANGED:
        fields["voice"] = None if voice is None else voice_id(voice)
    if length_factor is not UNCHANGED:
        fields["length_factor"] = encode_length_factor(length_factor)
    if content is UNCHANGED:
        return request.with_json(fields)
    rows, files = await encode_steps(content, "content")
    rows = complete(rows)
    if not files:
        return request.with_json({**fields, "content": rows})
    named = {f"step_{order}_audio_file": file for order, file in files.items()}
    blank = {name: "" if value is None else value for name, value in fields.items()}  # A form has no null.
    return request.with_form({**blank, "content": json.dumps(rows, ensure_ascii=False)}, named)
