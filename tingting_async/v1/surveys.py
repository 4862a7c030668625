"""Surveys: campaigns that ask questions, step by step."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any

from tingting_async.errors import PartialFailureError, TingTingError, UsageError
from tingting_async.http.messages import File, Request
from tingting_async.pagination.styles import LimitOffsetPagination
from tingting_async.resources import arguments
from tingting_async.resources.base import Resource, TimeoutLike
from tingting_async.v1.models.campaigns import RunStarted
from tingting_async.v1.models.common import Confirmation
from tingting_async.v1.models.surveys import ContentType, NewStep, ResponseType, SurveyStep
from tingting_async.v1.pages import read_results
from tingting_async.v1.reconcile import reconcile_run
from tingting_async.v1.reports import download, report_request
from tingting_async.v1.schedule import with_schedule


async def encode_steps(steps: Sequence[NewStep]) -> tuple[list[dict[str, Any]], dict[int, File]]:
    """Return steps as the service expects them, and their audio files by the index of their step.

    Raises:
        UsageError: A step is not valid.
    """
    if not isinstance(steps, Sequence) or not all(isinstance(step, NewStep) for step in steps):
        raise UsageError("The steps must be a list of NewStep.")
    rows: list[dict[str, Any]] = []
    files: dict[int, File] = {}
    for order, step in enumerate(steps):
        if len(step.input_name) > 128:
            raise UsageError(f"`steps[{order}].input_name` has more than 128 characters.")
        content = arguments.enum_member(ContentType, step.content_type, f"steps[{order}].content_type")
        response = arguments.enum_member(ResponseType, step.response_type, f"steps[{order}].response_type")
        rows.append(
            arguments.given_fields(
                id=None if step.id is None else arguments.identifier(step.id, f"steps[{order}].id"),
                order=order,
                content_type=content.value,
                text_or_url=step.text_or_url,
                response_type=response.value,
                input_name=step.input_name,
            )
        )
        if step.audio_file is not None:
            files[order] = await arguments.audio(step.audio_file, f"steps[{order}].audio_file")
    return rows, files


class Surveys(Resource):
    """Surveys (v1 documents, Surveys).

    To create a survey, call `campaigns.create(…, Services.SURVEY)`, then `set_steps()`.
    """

    async def steps(self, campaign_id: int, *, timeout: TimeoutLike = None) -> list[SurveyStep]:
        """Return a survey's steps in their order (`GET campaign/create/<campaign_id>/survey/`)."""
        request = Request.read(
            _steps_path(campaign_id), list[SurveyStep], "surveys.steps", payload=("results",), timeout=timeout
        )
        # The documents print no pagination here. If the service paginates, it does so as everywhere: ten at most.
        return await self._core.paginate(request, LimitOffsetPagination(10), read_results).collect()

    async def set_steps(
        self, campaign_id: int, steps: Sequence[NewStep], *, timeout: TimeoutLike = None
    ) -> list[SurveyStep]:
        """Set a survey's steps, and return them (`POST campaign/create/<campaign_id>/survey/`).

        Args:
            campaign_id: The survey's campaign.
            steps: The steps, in their order.
            timeout: The limits of each call.

        Raises:
            UsageError: There are no steps, or one is not valid.
            OutcomeUnknownError: The steps may have been set: look at `steps()`.
            PartialFailureError: The steps were set, but could not be read back. It is also behind a cancellation.
        """
        return await self._write_steps(Request.create, "surveys.set_steps", campaign_id, steps, timeout)

    async def update_steps(
        self, campaign_id: int, steps: Sequence[NewStep], *, timeout: TimeoutLike = None
    ) -> list[SurveyStep]:
        """Change a survey's steps, and return them (`PATCH campaign/create/<campaign_id>/survey/`).

        What happens to steps that are not given is not documented: look at the steps that are returned.

        Args:
            campaign_id: The survey's campaign.
            steps: All steps, in their order; existing steps with their `id`.
            timeout: The limits of each call.

        Raises:
            UsageError: There are no steps, or one is not valid.
            PartialFailureError: The steps were set, but could not be read back. It is also behind a cancellation.
        """
        return await self._write_steps(Request.update, "surveys.update_steps", campaign_id, steps, timeout)

    async def delete_steps(self, campaign_id: int, *, timeout: TimeoutLike = None) -> Confirmation:
        """Delete a survey's steps (`DELETE campaign/create/<campaign_id>/survey/`)."""
        return await self._core.execute(
            Request.delete(
                _steps_path(campaign_id),
                Confirmation,
                "surveys.delete_steps",
                allows_empty_body=True,
                timeout=timeout,
            )
        )

    async def run(
        self, campaign_id: int, *, idempotency_key: str | None = None, timeout: TimeoutLike = None
    ) -> RunStarted:
        """Run a survey: it calls people and spends credits (`POST run-survey/<campaign_id>/`).

        Args:
            campaign_id: The survey's campaign.
            idempotency_key: See `Resource`; without one, a ledger lets the campaign run once.
            timeout: See `Resource`.

        Raises:
            OutcomeUnknownError: The survey may be running: look at its status before you run it again.
            DuplicateSendError: The ledger says that it was run before, or may have been.
        """
        called = self._core.read_clocks()
        started = await self._core.execute(
            Request.send(
                f"/api/v1/run-survey/{arguments.identifier(campaign_id, 'campaign_id')}/",
                RunStarted,
                "surveys.run",
                timeout=timeout,
                recovery_hint=f"look at the status of campaigns.get({campaign_id})",
                reconciler=lambda send: reconcile_run(self._core, campaign_id, send, called),
                send_target=f"campaign {campaign_id}",
                idempotency_key=idempotency_key,
            )
        )
        return await with_schedule(self._core, campaign_id, started, timeout)

    async def test_call(
        self, contact_id: int, *, idempotency_key: str | None = None, timeout: TimeoutLike = None
    ) -> Confirmation:
        """Call one contact, to try out a survey (`POST test-survey/<contact_id>/`).

        Args:
            contact_id: The contact's id.
            idempotency_key: See `Resource`.
            timeout: See `Resource`.

        Raises:
            OutcomeUnknownError: The phone may be ringing.
            DuplicateSendError: The ledger says that a send with this `idempotency_key` was made before, or may have
                been.
        """
        return await self._core.execute(
            Request.send(
                f"/api/v1/test-survey/{arguments.identifier(contact_id, 'contact_id')}/",
                Confirmation,
                "surveys.test_call",
                allows_empty_body=True,
                timeout=timeout,
                recovery_hint="ask the person whether the phone rang",
                idempotency_key=idempotency_key,
            )
        )

    async def answers(self, survey_id: int, *, timeout: TimeoutLike = None) -> list[Mapping[str, Any]]:
        """Return the answers, one mapping per person (`GET download/survey/<survey_id>/report/?format=json`).

        The keys of the mappings are not documented.

        Args:
            survey_id: The survey's own id, which its steps carry (`SurveyStep.survey`). It may differ from the id of
                the campaign, which the other operations on surveys take.
            timeout: See `Resource`.

        Raises:
            NotFoundError: The account has no survey with this id.
        """
        return await self._core.execute(
            Request.read(
                _report_path(survey_id),
                list[Mapping[str, Any]],
                "surveys.answers",
                params=(("format", "json"),),
                timeout=timeout,
            )
        )

    async def download(self, survey_id: int, path: str | PathLike[str], *, timeout: TimeoutLike = None) -> None:
        """Save the answers as a CSV file, completely or not at all (`GET download/survey/<survey_id>/report/`).

        Args:
            survey_id: The survey's own id (`SurveyStep.survey`), which may differ from the campaign's; see `answers`.
            path: The file, as of `reports.download`.
            timeout: See `Resource`; None for ten minutes, whatever the session's limits.

        Raises:
            UsageError: The file cannot be written.
            DecodeError: The response is empty, is not CSV, or may be incomplete; nothing was saved.
        """
        await download(self._core, report_request(_report_path(survey_id), "surveys.download", timeout), path)

    async def _write_steps(
        self,
        make_request: Callable[..., Request[Confirmation]],
        operation: str,
        campaign_id: int,
        steps: Sequence[NewStep],
        timeout: TimeoutLike,
    ) -> list[SurveyStep]:
        request = make_request(
            _steps_path(campaign_id),
            Confirmation,
            operation,
            allows_empty_body=True,
            timeout=timeout,
            recovery_hint=f"look at surveys.steps({campaign_id})",
        )
        rows, files = await encode_steps(steps)
        if not rows:
            raise UsageError(f"{operation}: `steps` is empty; use delete_steps().")
        if files:
            # The name of an audio file is the index of its step, as in the vendor's own client.
            request = request.with_form(
                {"steps": json.dumps(rows, ensure_ascii=False)}, {str(order): file for order, file in files.items()}
            )
        else:
            request = request.with_json({"steps": rows})
        confirmation = await self._core.execute(request)
        try:
            return await self.steps(campaign_id, timeout=timeout)
        except (TingTingError, asyncio.CancelledError) as error:
            partial = PartialFailureError(
                f"{operation}: the steps were set, but could not be read back. Do not set them again; look at "
                f"surveys.steps({campaign_id}). {error}",
                result=confirmation,
            )
            if isinstance(error, asyncio.CancelledError):
                raise error from partial  # A cancellation has to stay one.
            raise partial from error


def _steps_path(campaign_id: int) -> str:
    return f"/api/v1/campaign/create/{arguments.identifier(campaign_id, 'campaign_id')}/survey/"


def _report_path(survey_id: int) -> str:
    return f"/api/v1/download/survey/{arguments.identifier(survey_id, 'survey_id')}/report/"
