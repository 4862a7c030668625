"""Surveys: campaigns that ask questions, step by step."""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from os import PathLike
from typing import Any, cast

from tingting_async.errors import PartialFailureError, TingTingError, UsageError
from tingting_async.http.messages import File, Request
from tingting_async.pagination.styles import LimitOffsetPagination
from tingting_async.resources import arguments
from tingting_async.resources.arguments import UNCHANGED
from tingting_async.resources.base import Resource, TimeoutLike
from tingting_async.resources.reach import reaches_contact
from tingting_async.v1.contacts import Contacts
from tingting_async.v1.models.campaigns import RunStarted
from tingting_async.v1.models.common import Confirmation
from tingting_async.v1.models.surveys import ContentType, NewStep, ResponseType, SurveyStep
from tingting_async.v1.pages import read_results
from tingting_async.v1.reach import reaches_campaign
from tingting_async.v1.reconcile import reconcile_run
from tingting_async.v1.reports import download, report_request
from tingting_async.v1.schedule import with_schedule

_NEW = {"content_type": "say", "text_or_url": "", "response_type": "none", "input_name": ""}
"""The fields of a new step that are not given."""


async def encode_steps(steps: Sequence[NewStep], name: str = "steps") -> tuple[list[dict[str, Any]], dict[int, File]]:
    """Return the fields of steps that are given, as the service expects them, and their audio by the index of the step.

    Args:
        steps: The steps.
        name: The argument's name, for errors.

    Raises:
        UsageError: A step is not valid.
    """
    if isinstance(steps, str | bytes | bytearray | memoryview) or not isinstance(steps, Sequence):
        raise UsageError(f"`{name}` must be a list of NewStep, not {type(cast('object', steps)).__name__}.")
    rows: list[dict[str, Any]] = []
    files: dict[int, File] = {}
    for order, step in enumerate(steps):
        place = f"{name}[{order}]"
        if not isinstance(step, NewStep):
            raise UsageError(f"`{place}` must be a NewStep, not {type(cast('object', step)).__name__}.")
        row: dict[str, Any] = {} if step.id is None else {"id": arguments.identifier(step.id, f"{place}.id")}
        rows.append({**row, "order": order, **_given_texts(step, place)})
        if step.audio_file is None:
            rows[-1]["audio_file"] = None
        elif step.audio_file is not UNCHANGED:
            files[order] = await arguments.audio(step.audio_file, f"{place}.audio_file")
    return rows, files


def complete(rows: Iterable[dict[str, Any]], stored: Mapping[Any, SurveyStep] | None = None) -> list[dict[str, Any]]:
    """Return encoded steps with the fields that are not given, too.

    The documents do not say whether the service keeps the fields that are not sent, so all of them are sent.

    Args:
        rows: The steps.
        stored: The steps that the survey has, by id, if the steps with an id are to be changed.
    """
    return [{**(_NEW if stored is None or "id" not in row else _texts(stored.get(row["id"]))), **row} for row in rows]


async def _encode_all(operation: str, steps: Sequence[NewStep]) -> tuple[list[dict[str, Any]], dict[int, File]]:
    """Return the encoded steps of a survey, and their audio.

    Raises:
        UsageError: There are none, or one is not valid.
    """
    rows, files = await encode_steps(steps)
    if not rows:
        raise UsageError(f"{operation}: `steps` is empty; use delete_steps().")
    return rows, files


def _texts(step: SurveyStep | None) -> dict[str, str]:
    """Return the fields of a step that the survey has, without its audio, which cannot be sent back."""
    fields = {name: getattr(step, name, None) for name in _NEW}
    return {name: str(value) for name, value in fields.items() if value is not None}


def _given_texts(step: NewStep, place: str) -> dict[str, str]:
    """Return the fields that are given, without the audio; None clears a field."""
    fields = {name: value for name in _NEW if (value := getattr(step, name)) is not UNCHANGED}
    for name, kind in (("content_type", ContentType), ("response_type", ResponseType)):
        if name in fields:
            fields[name] = arguments.enum_member(kind, fields[name], f"{place}.{name}").value
    for name in ("text_or_url", "input_name"):
        if fields.get(name) is not None:
            arguments.text(fields[name], f"{place}.{name}")
    if len(fields.get("input_name") or "") > 128:
        raise UsageError(f"`{place}.input_name` has more than 128 characters.")
    return {name: "" if value is None else value for name, value in fields.items()}


class Surveys(Resource):
    """Surveys (v1 documents, Surveys).

    To create a survey, call `campaigns.create(…, Services.SURVEY)`, then `set_steps()`.
    """

    async def steps(self, campaign_id: int, *, timeout: TimeoutLike = None) -> list[SurveyStep]:
        """Return a survey's steps in their order (`GET campaign/create/<campaign_id>/survey/`)."""
        request = Request.read(
            _steps_path(campaign_id), list[SurveyStep], "surveys.steps", payload=("results",), timeout=timeout
        )
        # The documents print no pagination here. If the service paginates, it does so as elsewhere: at most ten rows
        # per page.
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
        rows, files = await _encode_all("surveys.set_steps", steps)
        return await self._write_steps(Request.create, "surveys.set_steps", campaign_id, complete(rows), files, timeout)

    async def update_steps(
        self, campaign_id: int, steps: Sequence[NewStep], *, timeout: TimeoutLike = None
    ) -> list[SurveyStep]:
        """Change a survey's steps, and return them (`PATCH campaign/create/<campaign_id>/survey/`).

        A step with an `id` keeps the fields that are not given, its audio included. What happens to steps that are not
        given is not documented: look at the steps that are returned.

        Args:
            campaign_id: The survey's campaign.
            steps: All steps, in their order; existing steps with their `id`.
            timeout: The limits of each call.

        Raises:
            UsageError: There are no steps, or one is not valid.
            OutcomeUnknownError: The steps may have been changed, and some of them are new: look at `steps()`.
            PartialFailureError: The steps were changed, but could not be read back, or the service dropped audio that
                was to stay. It is also behind a cancellation.
        """
        rows, files = await _encode_all("surveys.update_steps", steps)
        changed = [step.id for step in steps if step.id is not None]
        stored = {step.id: step for step in await self.steps(campaign_id, timeout=timeout)} if changed else {}
        # Sent twice, a step without an id may be there twice.
        make_request = Request.update if len(changed) == len(steps) else partial(Request.create, method="PATCH")
        found = await self._write_steps(
            make_request, "surveys.update_steps", campaign_id, complete(rows, stored), files, timeout
        )
        if lost := _lost_audio(steps, stored, found):
            raise PartialFailureError(
                f"surveys.update_steps: the steps of campaign {campaign_id} were changed, but the service dropped the "
                f"audio of {' and '.join(lost)}. Give it again, as `audio_file`, with the ids of `result`.",
                result=found,
            )
        return found

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
            GuardError: A guard of the session does not allow it. Nothing was run.
            OutcomeUnknownError: The survey may be running: look at its status before you run it again.
            DuplicateSendError: The ledger says that it was run before, or may have been.
        """
        called = self._core.note_clocks()
        started = await self._core.execute(
            Request.send(
                f"/api/v1/run-survey/{arguments.identifier(campaign_id, 'campaign_id')}/",
                RunStarted,
                "surveys.run",
                allows_empty_body=True,
                timeout=timeout,
                recovery_hint=f"look at the status of campaigns.get({campaign_id})",
                reconciler=lambda send: reconcile_run(self._core, campaign_id, send, called),
                send_target=f"campaign {campaign_id}",
                idempotency_key=idempotency_key,
                reaches=reaches_campaign(self._core, campaign_id, None, timeout),
            )
        )
        return await with_schedule(self._core, campaign_id, started, timeout)

    async def test_call(
        self,
        contact_id: int,
        *,
        campaign_id: int | None = None,
        idempotency_key: str | None = None,
        timeout: TimeoutLike = None,
    ) -> Confirmation:
        """Call one contact, to try out a survey (`POST test-survey/<contact_id>/`).

        Args:
            contact_id: The contact's id.
            campaign_id: The campaign of the contact. The guard `suppressed` needs it, to read the contact's number.
            idempotency_key: See `Resource`.
            timeout: See `Resource`.

        Raises:
            GuardError: A guard of the session does not allow it. Nobody was called.
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
                recipient=f"contact {arguments.identifier(contact_id, 'contact_id')}",
                idempotency_key=idempotency_key,
                reaches=reaches_contact(Contacts(self._core).list, contact_id, campaign_id, timeout),
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
            path: The file, as in `reports.download`.
            timeout: See `Resource`; None for ten minutes, regardless of the session's limits.

        Raises:
            UsageError: The file cannot be written, or has the suffix of an Excel file.
            DecodeError: The response is empty, is not CSV, or may be incomplete; nothing was saved.
        """
        await download(self._core, report_request(_report_path(survey_id), "surveys.download", timeout), path)

    async def _write_steps(
        self,
        make_request: Callable[..., Request[Confirmation]],
        operation: str,
        campaign_id: int,
        rows: list[dict[str, Any]],
        files: Mapping[int, File],
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


def _lost_audio(
    steps: Sequence[NewStep], before: Mapping[int | None, SurveyStep], after: Sequence[SurveyStep]
) -> list[str]:
    """Return which of the steps given have lost audio that was to stay."""
    by_id, by_order = {step.id: step for step in after}, {step.order: step for step in after}
    lost: list[str] = []
    for order, step in enumerate(steps):
        had, has = before.get(step.id), by_id.get(step.id) or by_order.get(order)  # The service may give new ids.
        if step.audio_file is UNCHANGED and had is not None and had.audio_file and not (has and has.audio_file):
            lost.append(f"`steps[{order}]`")
    return lost


def _steps_path(campaign_id: int) -> str:
    return f"/api/v1/campaign/create/{arguments.identifier(campaign_id, 'campaign_id')}/survey/"


def _report_path(survey_id: int) -> str:
    return f"/api/v1/download/survey/{arguments.identifier(survey_id, 'survey_id')}/report/"
