"""`add_many` with an idempotency key: called again, it adds what is missing, and nothing twice."""

import asyncio
import hashlib
import json
from collections import deque
from contextlib import suppress
from typing import Any

import attrs

from tingting_async.client.core import Core
from tingting_async.errors import NotFoundError, NotSentError, OutcomeUnknownError, TingTingError, UsageError
from tingting_async.http.messages import Request, Response
from tingting_async.ledger.creations import WHY_MISSING
from tingting_async.ledger.jobs import Job
from tingting_async.persistence import run_to_completion
from tingting_async.quantities import counted
from tingting_async.recipients.number_set import NumberSet
from tingting_async.recipients.row_checker import ROWS_PER_TURN
from tingting_async.resources.add_results import RowStatus
from tingting_async.resources.additions import Addition, without
from tingting_async.resources.given_rows import Chunk, GivenRows
from tingting_async.rows import Rows

WAIT = 10.0
"""Seconds between the two checks that have to agree before a contact counts as not added."""
_MAX_LOST = 64
"""The number of lost responses after which the campaign's contacts are looked up, even if not everything was sent."""
_ATTEMPTS = 5
"""The call fails when lost requests have added no contact this many times in a row."""
_GONE = "The campaign does not have it: the earlier call left it out, the service refused it, or it was deleted."


@attrs.define(eq=False, repr=False)
class KeyedAddition(Addition):
    """A call of `add_many` with an idempotency key.

    Attributes:
        key: The key.
    """

    key: str
    _job: Job | None = attrs.field(default=None, init=False)
    _content: "Content | None" = attrs.field(default=None, init=False)
    """The content of an iterator, as far as it was read."""
    _again: deque[Chunk] = attrs.field(factory=deque[Chunk], init=False)
    """What has to be sent again, because it was lost on its way."""
    _lost: list[tuple[Chunk, OutcomeUnknownError]] = attrs.field(
        factory=list[tuple[Chunk, OutcomeUnknownError]], init=False
    )
    """The requests whose outcome is unknown."""

    async def add_all(self, core: Core, rows: GivenRows) -> None:
        """Add the contacts that earlier calls with the key have not added."""
        checked, content = await rows.check(), Content()
        for each in checked or ():
            await content.add(each)
        self._content = content if checked is None else None
        given = None if checked is None else str(content)
        endpoint = self.endpoint
        header = Request.create(endpoint.path, Response, endpoint.operation, json=given, timeout=self.timeout)
        self._job = job = await core.open_job(self._with_key(header))
        if job.is_done:
            await self._note_done(rows, job, content)
        else:
            await self._work(core, rows, job, content)

    async def note(self, chunk: Chunk) -> None:
        """Add a chunk of an iterator to the content."""
        if self._content is not None:
            await self._content.add(chunk)

    async def _note_done(self, rows: GivenRows, job: Job, content: "Content") -> None:
        """Account for the rows if an earlier call with the key has added everything."""
        progress, counts, numbers, doubt = self.progress, job.result or {}, None, ""
        if counts.get("refused", 1):  # Which rows the service refused is not recorded.
            try:
                numbers = await self.look(OutcomeUnknownError)
            except (OutcomeUnknownError, NotFoundError) as error:
                doubt = str(error)
        gone: list[range] = []
        while (chunk := await self.read(rows)) is not None:
            gone += without(chunk, numbers).rows.ranges if numbers is not None else ()
        await job.refuse_other(str(content))
        created, skipped = counts.get("created", 0), counts.get("skipped", 0)
        status = RowStatus.IN_CAMPAIGN if created and skipped else RowStatus.PRESENT if skipped else RowStatus.ADDED
        absent = Rows(*gone)
        there = progress.remaining.without(absent)
        progress.mark(absent, RowStatus.NOT_ADDED, _GONE)
        if doubt:
            progress.mark_unclear(there, doubt)
        else:
            progress.mark(there, status)
        progress.done_before(created, skipped)
        self.notify()

    async def _work(self, core: Core, rows: GivenRows, job: Job, content: "Content") -> None:
        """Add what is missing, and record how far this call has come."""
        progress = self.progress
        try:
            self._refuse_used(rows, job)
            if self._content is None:
                await self._refuse_missing(job, content, "nothing was sent. ")
            if job.had_begun:
                self.before: NumberSet | None = await self._look_twice(core)
            elif self.endpoint.looks_first:
                self.before = await self.look(NotSentError)
            await self._add_missing(core, rows)
            await job.refuse_other(str(content), said="these contacts are not those of the first call. ")
            await self._refuse_missing(job, content)
        except BaseException as error:
            is_unknown, has_effect = bool(progress.unknown), progress.has_begun
            if rows.has_begun:
                job.note_interrupted(rows.one_shot, content.numbers)
            if isinstance(error, GeneratorExit):
                job.abandon(is_unknown=is_unknown, has_effect=has_effect)
            else:
                ending = job.interrupt(is_unknown=is_unknown, has_effect=has_effect)
                with suppress(asyncio.CancelledError):
                    await run_to_completion(ending)
            raise
        refused = len(progress.outcomes.rows(RowStatus.REFUSED, RowStatus.UNKNOWN)) + self.suppressed_rows
        result = {"created": progress.created, "skipped": progress.skipped, "refused": refused}
        await run_to_completion(job.complete(result, str(content)))

    def _refuse_used(self, rows: GivenRows, job: Job) -> None:
        """Refuse an iterator that an earlier call has begun to read: the rows that it has read would be missing.

        Raises:
            UsageError: It was begun.
        """
        if rows.one_shot is not None and job.was_read(rows.one_shot):
            raise UsageError(
                f"{self.endpoint.operation}: nothing was sent. `{self.argument}` is an iterator that an earlier call "
                "has begun to read, so rows would be missing. Give a list, or a new iterator over all rows."
            )

    async def _refuse_missing(self, job: Job, content: "Content", said: str = "") -> None:
        """Refuse rows without those that earlier calls have read, from an iterator over what cannot be read again.

        Raises:
            UsageError: Numbers are missing.
        """
        missing = 0
        for numbers in job.earlier_numbers():
            for count, number in enumerate(numbers):
                missing += number not in content.numbers
                if count % ROWS_PER_TURN == 0:
                    await asyncio.sleep(0)
        if missing:
            raise UsageError(
                f"{self.endpoint.operation}: {said}{counted(missing, 'number')} that an earlier call with this "
                f"`idempotency_key` has read {'is' if missing == 1 else 'are'} not in `{self.argument}`. Give the same "
                "rows again: a list, or an iterator that begins with the first row."
            )

    async def _add_missing(self, core: Core, rows: GivenRows) -> None:
        attempts = 0
        while True:
            await self.send_chunks(core, lambda: self._next(rows))
            if not self._lost:
                return
            lost, self._lost = self._lost, []
            there = await self._find(core, lost)
            attempts = 0 if there else attempts + 1
            if attempts == _ATTEMPTS:
                error, operation = lost[-1][1], self.endpoint.operation
                raise NotSentError(
                    f"{operation}: the service did not get the last requests, however often they were sent.",
                    operation=operation,
                    method=error.method,
                    path=error.path,
                    phase=error.phase,
                ) from error

    async def _next(self, rows: GivenRows) -> Chunk | None:
        """Return the next chunk to send: what was lost, and then what the campaign did not have before."""
        if self._again:
            return self._again.popleft()
        return await self.next_missing(rows) if len(self._lost) < _MAX_LOST else None

    def request(self, chunk: Chunk) -> Request[Any]:
        """Return the request for a chunk, which leaves only as long as this call has the job."""
        job = self._job
        assert job is not None

        async def before_send() -> None:
            await job.before_send()
            await self.progress.leaves(chunk.rows)

        request = super().request(chunk)
        return self._with_key(attrs.evolve(request, before_send=before_send, before_first_byte=job.before_first_byte))

    async def send(self, core: Core, chunk: Chunk) -> None:
        """Send the request for a chunk, and account for its rows. If it is lost, the others continue."""
        try:
            await self.add(core, chunk)
        except OutcomeUnknownError as error:
            self._lost.append((chunk, error))
        except TingTingError as error:
            self.progress.failed(chunk.rows, error)
            raise
        finally:
            self.notify()

    def _with_key(self, request: Request[Any]) -> Request[Any]:
        return attrs.evolve(request, idempotency_key=self.key, send_target=self.endpoint.target)

    async def _find(self, core: Core, lost: list[tuple[Chunk, OutcomeUnknownError]]) -> int:
        """Find out what became of lost requests. Return how many of their contacts the campaign has."""
        numbers = await self.look(OutcomeUnknownError)
        if any(without(chunk, numbers).rows for chunk, _ in lost):
            numbers = await self._look_twice(core, numbers)
        count = 0
        for chunk, _ in lost:
            missing = without(chunk, numbers)
            there = chunk.rows.without(missing.rows)
            self.progress.found(there, is_new=True)
            self.progress.stayed(missing.rows)
            count += len(there)
            if missing.rows:
                self._again.append(missing)
        self.notify()
        return count

    async def _look_twice(self, core: Core, numbers: NumberSet | None = None) -> NumberSet:
        """Return the numbers that the campaign has once the service has had time to carry out what was lost."""
        numbers = await self.look(OutcomeUnknownError) if numbers is None else numbers
        await core.sleep(self.endpoint.operation, WAIT)
        return await self.look(OutcomeUnknownError, numbers)

    async def look(
        self, error: type[OutcomeUnknownError | NotSentError], numbers: NumberSet | None = None
    ) -> NumberSet:
        """Return the numbers that the campaign has; see `Addition`.

        Raises:
            NotFoundError: The campaign does not exist any more.
        """
        try:
            return await super().look(error, numbers)
        except NotFoundError as missing:
            job = self._job
            if job is None or job.is_done or not (job.had_begun or self.progress.has_begun):
                raise
            operation = self.endpoint.operation
            raise NotFoundError(
                f"{operation}: an earlier call with this `idempotency_key` has not added all "
                f"{operation.partition('.')[0]}, and the service has no such campaign. Nothing more was sent. "
                f"{WHY_MISSING} To forget that call, give its record in `await ledger.unresolved()` to "
                "`await ledger.mark_not_sent(send)`: the key is then free.",
                status=missing.status,
                message=missing.message,
                body=missing.body,
                operation=operation,
                method=missing.method,
                path=missing.path,
                request_id=missing.request_id,
            ) from missing


class Content:
    """The content of contacts, as a text that does not depend on their order."""

    def __init__(self) -> None:
        self.numbers: NumberSet = NumberSet()
        """The numbers of the contacts."""
        self._count = self._total = 0

    async def add(self, chunk: Chunk) -> None:
        """Add the contacts of a chunk."""
        await asyncio.sleep(0)
        for contact in chunk.items():
            text = json.dumps(contact, sort_keys=True).encode()
            self._total += int.from_bytes(hashlib.sha256(text).digest(), "big")
            self._count += 1
            self.numbers.add(str(contact["number"]))

    def __str__(self) -> str:
        return f"{self._count} contacts, {self._total:x}"
