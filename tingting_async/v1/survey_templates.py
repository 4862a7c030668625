"""Surveys to be used again."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from tingting_async.errors import UsageError
from tingting_async.http.messages import Effect, Request
from tingting_async.pagination.paginator import Paginator
from tingting_async.pagination.styles import PageNumberPagination
from tingting_async.resources import arguments
from tingting_async.resources.base import Resource, TimeoutLike
from tingting_async.v1.campaign_fields import length_factor as checked_length_factor
from tingting_async.v1.models.accounts import Voice
from tingting_async.v1.models.common import Confirmation
from tingting_async.v1.models.surveys import NewStep, SurveyTemplate, TemplateApplied
from tingting_async.v1.pages import read_page
from tingting_async.v1.surveys import encode_steps


class SurveyTemplates(Resource):
    """Survey templates (v1 documents, Surveys, templates)."""

    def list(
        self,
        *,
        search: str | None = None,
        page_size: int = 10,
        window: int | None = None,
        exact: bool = False,
        resume: str | None = None,
        timeout: TimeoutLike = None,
    ) -> Paginator[SurveyTemplate]:
        """List the templates (`GET survey-templates/`).

        Args:
            search: Only those whose name contains this.
            page_size: Rows on a page.
            window: How many pages are in flight at once, from the start; None for the session's, with a slow start.
            exact: Whether to miss no row and repeat none while the list changes, at twice the requests or more.
            resume: The `token` of an earlier walk, to go on behind it.
            timeout: The limits of each page's call.
        """
        if type(page_size) is not int or page_size < 1:
            raise UsageError(f"`page_size` is {page_size!r}; it has to be an integer from 1 up.")
        params: tuple[tuple[str, str], ...] = (("page_size", str(page_size)),)
        if search is not None and search != "":
            params += (("search", arguments.non_empty_text(search, "search")),)
        request = Request(
            "GET",
            "/api/v1/survey-templates/",
            Effect.READ,
            "survey_templates.list",
            list[SurveyTemplate],
            payload=("results",),
            params=params,
            timeout=timeout,
        )
        return self._core.paginate(
            request, PageNumberPagination("page"), read_page, window=window, exact=exact, resume=resume
        )

    async def get(self, id: int, *, timeout: TimeoutLike = None) -> SurveyTemplate:
        """Return a template (`GET survey-templates/<id>/`)."""
        path, operation = _path(id), "survey_templates.get"
        return await self._core.execute(Request("GET", path, Effect.READ, operation, SurveyTemplate, timeout=timeout))

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
            name: Its name.
            content: Its steps.
            voice: Who speaks; of the account's language.
            length_factor: How much slower than normal the voice speaks.
            timeout: The limits of this call.

        Raises:
            BadRequestError: The voice is of another language (`field_errors["voice"]`).
            OutcomeUnknownError: It may have been created: look for its name before creating it again.
        """
        request = Request(
            "POST",
            "/api/v1/survey-templates/",
            Effect.CREATE,
            "survey_templates.create",
            SurveyTemplate,
            timeout=timeout,
            recovery_hint="look for its name with survey_templates.list(search=…)",
        )
        fields = {"name": arguments.non_empty_text(name, "name")}
        return await self._core.execute(await _with_content(request, fields, content, voice, length_factor))

    async def update(
        self,
        id: int,
        *,
        name: str | None = None,
        content: Sequence[NewStep] | None = None,
        voice: Voice | int | None = None,
        length_factor: Decimal | float | None = None,
        timeout: TimeoutLike = None,
    ) -> SurveyTemplate:
        """Change a template; what is not given stays (`PATCH survey-templates/<id>/`). Arguments as of `create`."""
        if name is None and content is None and voice is None and length_factor is None:
            raise UsageError("survey_templates.update: give what is to be changed.")
        path, operation = _path(id), "survey_templates.update"
        request = Request("PATCH", path, Effect.UPDATE, operation, SurveyTemplate, timeout=timeout)
        fields = {} if name is None else {"name": arguments.non_empty_text(name, "name")}
        return await self._core.execute(await _with_content(request, fields, content, voice, length_factor))

    async def delete(self, id: int, *, timeout: TimeoutLike = None) -> Confirmation:
        """Delete a template (`DELETE survey-templates/<id>/`)."""
        path, operation = _path(id), "survey_templates.delete"
        request = Request(
            "DELETE", path, Effect.UPDATE, operation, Confirmation, allows_empty_body=True, timeout=timeout
        )
        return await self._core.execute(request)

    async def apply(self, id: int, campaign_id: int, *, timeout: TimeoutLike = None) -> TemplateApplied:
        """Make a survey's steps of a template (`POST survey-templates/<id>/apply-to-campaign/`).

        Returns:
            The steps that were made; where only some could be, `is_complete` is false, and `errors` says why.

        Raises:
            OutcomeUnknownError: It may have been applied: look at `surveys.steps()`.
        """
        return await self._core.execute(
            Request(
                "POST",
                f"{_path(id)}apply-to-campaign/",
                Effect.CREATE,
                "survey_templates.apply",
                TemplateApplied,
                json={"campaign_id": arguments.identifier(campaign_id, "campaign_id")},
                timeout=timeout,
                recovery_hint=f"look at surveys.steps({campaign_id})",
            )
        )


def _path(id: int) -> str:
    return f"/api/v1/survey-templates/{arguments.identifier(id)}/"


async def _with_content(
    request: Request[SurveyTemplate],
    fields: dict[str, Any],
    content: Sequence[NewStep] | None,
    voice: Voice | int | None,
    length_factor: Decimal | float | None,
) -> Request[SurveyTemplate]:
    rows, files = await encode_steps(content or ())
    if voice is not None:
        fields["voice"] = arguments.identifier(voice.id if isinstance(voice, Voice) else voice, "voice")
    if length_factor is not None:
        fields["length_factor"] = checked_length_factor(length_factor)
    if not files:
        return request.with_json(fields if content is None else {**fields, "content": rows})
    named = {f"step_{order}_audio_file": file for order, file in files.items()}
    return request.with_form({**fields, "content": json.dumps(rows, ensure_ascii=False)}, named)
