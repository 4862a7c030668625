"""Surveys: campaigns that ask, step by step."""

import json
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

from tingting_async.errors import PartialFailureError, TingTingError, UsageError
from tingting_async.http.messages import Effect, File, Request
from tingting_async.pagination.styles import LimitOffsetPagination
from tingting_async.resources import arguments
from tingting_async.resources.base import Resource, TimeoutLike
from tingting_async.v1.models.campaigns import RunStarted
from tingting_async.v1.models.common import Confirmation
from tingting_async.v1.models.surveys import ContentType, NewStep, ResponseType, SurveyStep
from tingting_async.v1.pages import read_results
from tingting_async.v1.reconcile import reconcile_run
from tingting_async.v1.reports import download

AUDIO = (".mp3", ".wav", ".ogg", ".m4a", ".aac", ".flac")


async def encode_steps(steps: Sequence[NewStep]) -> tuple[list[dict[str, Any]], dict[int, File]]:
    """Return steps as the service wants them, with their audio files by their place.

    Raises:
        UsageError: One of them cannot be sent.
    """
    if not isinstance(steps, Sequence) or not all(isinstance(step, NewStep) for step in steps):
        raise UsageError("The steps have to be a list of NewStep.")
    rows: list[dict[str, Any]] = []
    files: dict[int, File] = {}
    for order, step in enumerate(steps):
        if len(step.input_name) > 128:
            raise UsageError(f"`steps[{order}].input_name` has more than 128 characters.")
        content = arguments.enum_member(ContentType, step.content_type, f"steps[{order}].content_type")
        response = arguments.enum_member(ResponseType, step.response_type, f"steps[{order}].response_type")
        row: dict[str, Any] = {
            "order": order,
            "content_type": content.value,
            "text_or_url": step.text_or_url,
            "response_type": response.value,
            "input_name": step.input_name,
        }
        rows.append(row if step.id is None else {"id": arguments.identifier(step.id, f"steps[{order}].id"), **row})
        if step.audio_file is not None:
            name = f"steps[{order}].audio_file"
            files[order] = await arguments.file(step.audio_file, name, suffixes=AUDIO, content_type="audio/mpeg")
    return rows, files


class Surveys(Resource):
    """Surveys (v1 documents, Surveys). One is created with `campaigns.create(…, Services.SURVEY)`, then given steps."""

    async def steps(self, campaign_id: int, *, timeout: TimeoutLike = None) -> list[SurveyStep]:
        """Return a survey's steps, in their order (`GET campaign/create/<campaign_id>/survey/`)."""
        path, operation = _steps_path(campaign_id), "surveys.steps"
        request = Request("GET", path, Effect.READ, operation, list[SurveyStep], payload=("results",), timeout=timeout)
        # No pagination is printed here; where the service paginates, it does so as everywhere, by ten at most.
        return await self._core.paginate(request, LimitOffsetPagination(10), read_results).collect()

    async def set_steps(
        self, campaign_id: int, steps: Sequence[NewStep], *, timeout: TimeoutLike = None
    ) -> list[SurveyStep]:
        """Give a survey its steps, and return them (`POST campaign/create/<campaign_id>/survey/`).

        Raises:
            UsageError: There are none, or one of them cannot be sent.
            OutcomeUnknownError: They may have been set: look at `steps()`.
            PartialFailureError: They were set, and could not be read back.
        """
        return await self._write_steps("POST", Effect.CREATE, "surveys.set_steps", campaign_id, steps, timeout)

    async def update_steps(
        self, campaign_id: int, steps: Sequence[NewStep], *, timeout: TimeoutLike = None
    ) -> list[SurveyStep]:
        """Change a survey's steps, and return them (`PATCH campaign/create/<campaign_id>/survey/`).

        Whether steps that are not given stay is not documented: look at what is returned.

        Args:
            campaign_id: The campaign's.
            steps: All of them, in their order; those that are there already with their `id`.
            timeout: The limits of each call.

        Raises:
            UsageError: There are none, or one of them cannot be sent.
            PartialFailureError: They were set, and could not be read back.
        """
        return await self._write_steps("PATCH", Effect.UPDATE, "surveys.update_steps", campaign_id, steps, timeout)

    async def delete_steps(self, campaign_id: int, *, timeout: TimeoutLike = None) -> Confirmation:
        """Delete a survey's steps (`DELETE campaign/create/<campaign_id>/survey/`)."""
        path, operation = _steps_path(campaign_id), "surveys.delete_steps"
        request = Request(
            "DELETE", path, Effect.UPDATE, operation, Confirmation, allows_empty_body=True, timeout=timeout
        )
        return await self._core.execute(request)

    async def run(
        self, campaign_id: int, *, idempotency_key: str | None = None, timeout: TimeoutLike = None
    ) -> RunStarted:
        """Run a survey: people are called, and credits are spent (`POST run-survey/<campaign_id>/`).

        Never sent twice by itself once it may have arrived.

        Args:
            campaign_id: The survey's campaign.
            idempotency_key: With a ledger, which lets a campaign run once: your name for another run of it.
            timeout: The limits of this call.

        Raises:
            OutcomeUnknownError: It may be running: look at its status before running it again.
            DuplicateSendError: By the ledger it was run before, or may have been.
        """
        return await self._core.execute(
            Request(
                "POST",
                f"/api/v1/run-survey/{arguments.identifier(campaign_id, 'campaign_id')}/",
                Effect.SEND,
                "surveys.run",
                RunStarted,
                timeout=timeout,
                recovery_hint=f"look at the status of campaigns.get({campaign_id})",
                reconciler=lambda send: reconcile_run(self._core, campaign_id, send),
                send_target=f"campaign {campaign_id}",
                idempotency_key=idempotency_key,
            )
        )

    async def test_call(
        self, contact_id: int, *, idempotency_key: str | None = None, timeout: TimeoutLike = None
    ) -> Confirmation:
        """Try a survey on one contact, who is called (`POST test-survey/<contact_id>/`).

        Never sent twice by itself once it may have arrived.

        Args:
            contact_id: Whom to call.
            idempotency_key: With a ledger: your name for this send, which is sent once; see docs/ledger.md.
            timeout: The limits of this call.

        Raises:
            OutcomeUnknownError: It may be ringing.
            DuplicateSendError: By the ledger `idempotency_key` was sent before, or may have been.
        """
        return await self._core.execute(
            Request(
                "POST",
                f"/api/v1/test-survey/{arguments.identifier(contact_id, 'contact_id')}/",
                Effect.SEND,
                "surveys.test_call",
                Confirmation,
                allows_empty_body=True,
                timeout=timeout,
                recovery_hint="ask the person whether the telephone rang",
                idempotency_key=idempotency_key,
            )
        )

    async def answers(self, campaign_id: int, *, timeout: TimeoutLike = None) -> list[Mapping[str, Any]]:
        """Return what people answered, a mapping for each (`GET download/survey/<survey_id>/report/?format=json`).

        What the mappings hold is not documented.
        """
        request = Request(
            "GET",
            _report_path(campaign_id),
            Effect.READ,
            "surveys.answers",
            list[Mapping[str, Any]],
            params=(("format", "json"),),
            timeout=timeout,
        )
        return await self._core.execute(request)

    async def download(self, campaign_id: int, path: str | PathLike[str], *, timeout: TimeoutLike = None) -> None:
        """Save what people answered as a CSV file: complete, or not at all (`GET download/survey/<survey_id>/report/`).

        Raises:
            UsageError: The file cannot be written there.
        """
        await download(self._core, _report_path(campaign_id), "surveys.download", path, timeout)

    async def _write_steps(
        self,
        method: str,
        effect: Effect,
        operation: str,
        campaign_id: int,
        steps: Sequence[NewStep],
        timeout: TimeoutLike,
    ) -> list[SurveyStep]:
        rows, files = await encode_steps(steps)
        if not rows:
            raise UsageError(f"{operation}: `steps` is empty; use delete_steps().")
        request: Request[Confirmation] = Request(
            method,
            _steps_path(campaign_id),
            effect,
            operation,
            Confirmation,
            allows_empty_body=True,
            timeout=timeout,
            recovery_hint=f"look at surveys.steps({campaign_id})",
        )
        if files:
            # The audio files go by the index of their step, as in the vendor's own client.
            named = {str(order): file for order, file in files.items()}
            request = request.with_form({"steps": json.dumps(rows, ensure_ascii=False)}, named)
        else:
            request = request.with_json({"steps": rows})
        confirmation = await self._core.execute(request)
        try:
            return await self.steps(campaign_id, timeout=timeout)
        except TingTingError as error:
            raise PartialFailureError(
                f"{operation}: the steps were set, and could not be read back: do not set them again, look at "
                f"surveys.steps({campaign_id}). {error}",
                result=confirmation,
            ) from error


def _steps_path(campaign_id: int) -> str:
    return f"/api/v1/campaign/create/{arguments.identifier(campaign_id, 'campaign_id')}/survey/"


def _report_path(campaign_id: int) -> str:
    return f"/api/v1/download/survey/{arguments.identifier(campaign_id, 'campaign_id')}/report/"
