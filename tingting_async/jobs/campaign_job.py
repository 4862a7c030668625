"""A campaign from its list of recipients to its outcomes, which may be killed anywhere and run again anywhere."""

import asyncio
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Set as AbstractSet,
)
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Unpack

import attrs

from tingting_async.client.core import Core
from tingting_async.client.options import require_bool
from tingting_async.client.session import core_of
from tingting_async.errors import GuardError, MisuseError, NotFoundError, TingTingError, UsageError
from tingting_async.jobs.checks import check, read_suppressed
from tingting_async.jobs.comparison import refuse_late
from tingting_async.jobs.job_result import JobResult
from tingting_async.jobs.outcomes import read_outcomes
from tingting_async.jobs.preview import JobPreview, preview
from tingting_async.jobs.selection import Selection, select
from tingting_async.jobs.steps import JobProgress, JobRun, JobStep
from tingting_async.ledger.claims import require_key
from tingting_async.ledger.ensure_sent import RECONCILE_WAIT
from tingting_async.observability.emitter import is_callback
from tingting_async.persistence import run_in_thread
from tingting_async.quantities import SECONDS_FROM_0, is_seconds, shown
from tingting_async.recipients.python_rows import require_rows
from tingting_async.recipients.recipient_list import RecipientList
from tingting_async.redaction import redact
from tingting_async.resources import arguments
from tingting_async.resources.models import Services
from tingting_async.tracebacks import short_traceback
from tingting_async.v1.campaign_fields import OptionalFields, encode_new_campaign
from tingting_async.v1.progress import require_poll_intervals, require_wait_timeout
from tingting_async.v1.session import TingTing

if TYPE_CHECKING:
    from tingting_async.client.guards import Prices

_CALLS = (Services.PHONE, Services.SMS_AND_PHONE)
_TEXTS = (Services.SMS, Services.SMS_AND_PHONE)


class CampaignJob:
    """A whole campaign: check the recipients, create it, add them, run it, follow it, and read what became of each.

    ::

        people = await RecipientList.read("fees.xlsx")
        job = CampaignJob(
            name="Fees 2083-08",
            services="SMS",
            sms_message="{name}, your fee is {amount}.",
            recipients=people,
            idempotency_key="fees 2083-08",
        )
        result = await job.run(tingting)
        await result.write("outcomes.xlsx")

    With a ledger and an `idempotency_key`, the job may be killed at any moment, and run again by any process that has
    the same recipients: it continues where it ended, and nobody is called or texted twice. See docs/recipients.md.

    Args:
        name: The name of the campaign.
        services: How it reaches its contacts: by SMS, by phone, or both.
        recipients: A `RecipientList`, or rows as `RecipientList.from_rows` takes them. They are read once, by the first
            run or preview. If reading an iterator fails, the job cannot be run: its first rows are lost.
        idempotency_key: Your name for this job. The session needs a ledger for it. Without a key, the job can be run
            once, and is not protected: if it fails half-way, running it again would reach people twice.
        allow_legacy_font: Whether to send messages and values that seem to be typed for a legacy Nepali font. By
            default, such a message is refused, and such a row is left out. The recognition may be wrong.
        **fields: The other fields of the campaign, as in `campaigns.create`: `sms_message`, `message`, `voice`,
            `lines`, `schedule`, ….

    Raises:
        UsageError: A field is not valid, or is missing; or `recipients` or the key are of another type.
        MisuseError: A keyword argument is unknown.
    """

    def __init__(
        self,
        *,
        name: str,
        services: Services | str,
        recipients: RecipientList | Iterable[Any] | AsyncIterable[Any],
        idempotency_key: str | None = None,
        allow_legacy_font: bool = False,
        **fields: Unpack[OptionalFields],
    ) -> None:
        arguments.refuse_unknown("CampaignJob", fields, OptionalFields.__optional_keys__, type(self))
        given: dict[str, Any] = {**fields}
        for listed in ("lines", "failover"):  # An iterator could be read only once.
            if isinstance(given.get(listed), Iterable) and not isinstance(given[listed], str | bytes | Mapping):
                given[listed] = tuple(given[listed])
        encode_new_campaign({**given, "name": name, "services": services}, may_be_past=True)
        require_rows("CampaignJob", "recipients", recipients)
        require_bool(allow_legacy_font, "allow_legacy_font")
        if idempotency_key is not None:
            require_key("CampaignJob", idempotency_key)
        self._name = name
        self._services: Services = arguments.enum_member(Services, services, "services")
        self._fields: OptionalFields = {**given}  # type: ignore[typeddict-item]
        self._recipients = recipients
        self._key = idempotency_key
        self._allow_legacy_font = allow_legacy_font
        self._has_begun = False
        self._reading: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None
        self._has_begun_to_read = False
        self._require_complete()

    def __repr__(self) -> str:
        return f"<CampaignJob {redact(self._name)!r}>"

    def _require_complete(self) -> None:
        """Refuse a job whose campaign would reach nobody.

        Raises:
            UsageError: A field is missing.
        """
        given = self._fields
        if self._services is Services.SURVEY:
            raise UsageError("CampaignJob: it runs no surveys. Use `tingting.surveys` and `surveys.run`.")
        calls, texts = self._services in _CALLS, self._services in _TEXTS
        missing = {
            "`message`": calls and not (given.get("message") or "").strip(),
            "`voice`, one of `voices.list()`": calls and given.get("voice") is None,
            "`lines`, ids of `phone_numbers.list()`": calls and not given.get("lines"),
            "`sms_message`": texts and not (given.get("sms_message") or "").strip(),
        }
        if names := [name for name, is_missing in missing.items() if is_missing]:
            raise UsageError(f"CampaignJob: a campaign with services `{self._services.name}` needs {'; '.join(names)}.")
        if given.get("draft"):
            raise UsageError("CampaignJob: a draft cannot be run: do not give `draft`.")

    @short_traceback
    async def run(
        self,
        tingting: TingTing,
        *,
        on_progress: Callable[[JobProgress], object] | None = None,
        timeout: float | None = None,
        poll_interval: float = 1.0,
        max_poll_interval: float = 30.0,
        wait: float = RECONCILE_WAIT,
    ) -> JobResult:
        """Do the rest of the job, and return the outcome of every row.

        Two runs at the same time, of one process or of several, are one job: each step is done by the one that is
        first, and the other waits for it.

        Args:
            tingting: A session of the v1 API.
            on_progress: A function that is called with the progress at each step, and whenever the campaign changes. If
                everything was sent before, the steps are to follow and to read only. If the function raises an error,
                that is logged, and the job continues.
            timeout: The maximum number of seconds to follow the campaign; None for no limit.
            poll_interval: Seconds between two polls, as in `campaigns.progress`.
            max_poll_interval: The maximum number of seconds between two polls.
            wait: Seconds between the two checks after a lost response, as in `ensure_sent`.

        Raises:
            MisuseError: The session is not one of the v1 API.
            UsageError: An argument is not valid; there is a key and no ledger, or a ledger and no key; the recipients
                cannot be read, or a placeholder of a message has no column; or an earlier run with this key had other
                recipients or other fields; or `schedule` has passed. Nobody was called or texted by this call.
            ConflictError: Somebody has changed the campaign or added contacts to it. Nobody was called or texted.
            GuardError: A guard of the session does not allow it. Nobody was called or texted.
            WaitTimeoutError: The campaign was run, and has not ended within `timeout`. With a key, run the job again to
                follow it again.
            OutcomeUnknownError: Only a person can find out whether a step was done, or somebody else has run the
                campaign. See docs/recipients.md.
            DuplicateSendError: Another process is still working on a step.
            TingTingError: A step failed. With a key, run the job again.
        """
        core = self._core(tingting, on_progress)
        # All arguments are checked now: most are used only after people were reached.
        require_poll_intervals("CampaignJob.run", poll_interval, max_poll_interval)
        require_wait_timeout("CampaignJob.run", timeout)
        if not is_seconds(wait, zero=True):
            raise UsageError(f"CampaignJob.run: `wait` is {shown(wait)}; it must be {SECONDS_FROM_0}.")
        run = JobRun(tingting, core, self._key, on_progress, wait)
        run.report(JobStep.CHECKING)
        selection = await self._select()
        is_sent = await run.was_sent()
        suppressed: AbstractSet[str] = await read_suppressed(core, must_be_known=not is_sent)
        people = selection.people(frozenset() if is_sent else suppressed)
        if not is_sent:  # A campaign that was sent is only followed, even if it would not be allowed now.
            selection.refuse_nobody(people)
            refuse_late(core, self._fields.get("schedule"))
            await check(core, self._services, self._fields, people)
        self._begin()
        with _advice(self._key):
            await run.create(self._name, self._services, self._fields, selection, people, was_sent=is_sent)
            if not is_sent:
                suppressed |= await run.add(selection)
            suppressed |= await run.send(selection.people(suppressed))
            campaign = await run.follow(timeout, poll_interval, max_poll_interval)
            run.report(JobStep.READING)
            not_added = await run.count_not_added() if is_sent else None
            return await read_outcomes(tingting, campaign, selection, run.refused, suppressed, not_added)

    @short_traceback
    async def preview(self, tingting: TingTing, *, prices: "Prices | None" = None) -> JobPreview:
        """Preview `run`: who would be reached with what text, who would be left out, and at what cost.

        Nothing is sent and nothing is created, on the service or in the ledger. At most, two requests read the credits
        that are left.

        Args:
            tingting: A session of the v1 API.
            prices: What you pay, to estimate the cost. By default, those of the session's guards.

        Raises:
            MisuseError: The session is not one of the v1 API.
            UsageError: There is a key and no ledger, or a ledger and no key; the recipients cannot be read; a message
                cannot be filled from their columns; or `prices` lack a price.
        """
        core = self._core(tingting, None, "preview")
        if prices is not None:
            from tingting_async.client.guards import require_prices  # noqa: PLC0415 - few programs need it

            require_prices(prices)
        selection, run = await self._select(), JobRun(tingting, core, self._key, None, 0)
        was_sent = await run.was_sent()
        problems = [_note_on_sent(self._fields.get("schedule"), core.read_clocks().local)] if was_sent else []
        try:
            await run.refuse_other(self._name, self._services, self._fields, selection)
            is_refused = False
        except UsageError as error:
            problems, is_refused = [str(error)], True
        found = await preview(core, self._services, self._fields, selection, prices, was_sent=was_sent)
        return attrs.evolve(found, problems=(*problems, *found.problems), is_refused=is_refused or found.is_refused)

    def _core(self, tingting: object, on_progress: object, operation: str = "run") -> Core:
        """Return the core of the session, if the job can use it.

        Raises:
            UsageError: It cannot.
        """
        if not isinstance(tingting, TingTing):
            name = f"{type(tingting).__module__}.{type(tingting).__qualname__}"
            raise MisuseError(
                f"CampaignJob.{operation}: `tingting` must be a session of the v1 API, not {name}. Write `from "
                "tingting_async.v1 import TingTing`."
            )
        if on_progress is not None and not is_callback(on_progress):
            raise UsageError("CampaignJob.run: `on_progress` must be a function, and not an async one.")
        core = core_of(tingting)
        if self._key is not None and core.ledger is None:
            raise UsageError(
                f"CampaignJob.{operation}: `idempotency_key` needs a ledger, which records what was done: "
                '`TingTing(…, ledger=SqliteLedger("sends.sqlite"))`.'
            )
        if self._key is None and core.ledger is not None:
            raise UsageError(
                f"CampaignJob.{operation}: the session has a ledger, so give an `idempotency_key`: your name for this "
                'job, such as "fees 2083-08". The job can then be run again without reaching anybody twice.'
            )
        return core

    async def _select(self) -> Selection:
        """Decide who is reached, and who is left out."""
        people, given = await self._read(), self._fields
        texts = [
            text
            for services, text in ((_CALLS, given.get("message")), (_TEXTS, given.get("sms_message")))
            if self._services in services and text
        ]
        mobile_only = self._services is Services.SMS
        allow = self._allow_legacy_font
        return await run_in_thread(lambda: select(people, texts, mobile_only=mobile_only, allow_legacy_font=allow))

    async def _read(self) -> RecipientList:
        """Return the recipients. An iterator is read only once, whole, however many calls need it.

        Raises:
            UsageError: They cannot be read, or an earlier call has read a part of the iterator.
        """
        loop = asyncio.get_running_loop()
        if self._reading is None or self._reading[0] is not loop:  # A lock belongs to an event loop.
            self._reading = (loop, asyncio.Lock())
        async with self._reading[1]:
            if not isinstance(self._recipients, RecipientList):
                if self._has_begun_to_read and isinstance(self._recipients, Iterator | AsyncIterator):
                    raise UsageError(
                        "CampaignJob: nothing was sent. `recipients` is an iterator, and an earlier call has read a "
                        "part of it, which is lost. Make the job again, with a list or a new iterator."
                    )
                self._has_begun_to_read = True
                self._recipients = await RecipientList.from_rows(self._recipients)
            return self._recipients

    def _begin(self) -> None:
        """Refuse to create a second campaign, if no key says that it is the same."""
        if self._key is None and self._has_begun:
            raise UsageError(
                "CampaignJob.run: this job was run before, without an `idempotency_key`, so it cannot continue: it "
                "would create a second campaign and reach people twice. Look at the first one with `campaigns.list()`."
            )
        self._has_begun = True


def _note_on_sent(schedule: datetime | None, now: datetime) -> str:
    """Return what `run` does now, after the job was run before with its key."""
    again = "`run` calls and texts nobody again, and reads the outcomes."
    if schedule is None or schedule <= now:
        return f"The job was run before with this key: {again}"
    return (
        f"The job was run before with this key, for {schedule:%Y-%m-%d %H:%M %Z}. Until then, nobody is called or "
        f"texted. {again}"
    )


@contextmanager
def _advice(key: str | None) -> Generator[None]:
    """Say in errors how to continue the job."""
    try:
        yield
    except GuardError as error:
        if key is not None:
            error.add_note(
                "CampaignJob: nobody was called or texted. A list or a limit may have changed since the job began, or "
                "quiet hours may have begun. Once the guards allow it, run the job again with the same key, "
                "recipients and fields. It continues from here."
            )
        raise
    except UsageError:  # It says what to change.
        raise
    except NotFoundError as error:
        if key is not None:
            error.add_note(
                "CampaignJob: a new key creates a new campaign. It reaches everybody on the list, including people who "
                "were already reached. To reach only the rows that you corrected or added, read them with `besides=` "
                "set to the earlier list, and run a new job with them."
            )
        raise
    except TingTingError as error:
        if key is not None:
            advice = "CampaignJob: run the job again with the same key, recipients and fields. It continues from here."
        else:
            advice = "CampaignJob: without an `idempotency_key`, the job cannot be continued. See docs/recipients.md."
        error.add_note(advice)
        raise
