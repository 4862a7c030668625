"""`contacts.add_many` with an idempotency key: called again, it adds what is missing, and nothing twice."""

import asyncio
import hashlib
import json
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import attrs

from tingting_async.client.core import Core
from tingting_async.errors import (
    DecodeError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    PaginationError,
    TingTingError,
    UsageError,
)
from tingting_async.http.json import Encoded, dumps
from tingting_async.http.messages import Request, Response
from tingting_async.ledger.jobs import Job
from tingting_async.pagination.paginator import Paginator
from tingting_async.persistence import run_to_completion
from tingting_async.recipients.number_set import NumberSet
from tingting_async.recipients.numbers import phone_number
from tingting_async.rows import Rows
from tingting_async.v1.additions import Addition, Chunk, Chunks
from tingting_async.v1.models.contacts import Contact, ContactsAdded

WAIT = 10.0
"""Seconds between the two looks that have to agree before a contact counts as not added."""
_MAX_LOST = 64
"""After how many lost responses the campaign's contacts are looked up, although not everything was sent yet."""
_ATTEMPTS = 5
"""How often requests may be lost, one time after the other, without any contact being added."""
_OPERATION = "contacts.add_many"


@attrs.define
class KeyedAddition(Addition):
    """A call of `contacts.add_many` with an idempotency key.

    Attributes:
        key: The key.
        target: What the ledger calls the campaign's contacts.
        list_contacts: Returns the campaign's contacts; the list must be exact.
    """

    key: str
    target: str
    list_contacts: Callable[[], Paginator[Contact]]
    _job: Job | None = attrs.field(default=None, init=False)
    _content: "Content | None" = attrs.field(default=None, init=False)
    """The content of an iterator, as far as it was read."""
    _before: NumberSet | None = attrs.field(default=None, init=False)
    """The numbers that the campaign had before this call, if an earlier one had begun."""
    _again: deque[Chunk] = attrs.field(factory=deque[Chunk], init=False)
    """What has to be sent again, as it was lost on its way."""
    _lost: list[tuple[Chunk, OutcomeUnknownError]] = attrs.field(
        factory=list[tuple[Chunk, OutcomeUnknownError]], init=False
    )
    """The requests whose outcome is unknown."""

    async def add_all(self, core: Core, chunks: Chunks) -> None:
        """Add the contacts that earlier calls with the key have not added."""
        checked, content = await chunks.check(), Content()
        for each in checked or ():
            await content.add(each)
        self._content = content if checked is None else None
        given = None if checked is None else str(content)
        header = Request.create(self.path, Response, _OPERATION, json=given, timeout=self.timeout)
        self._job = job = await core.open_job(self._with_key(header))
        if job.is_done:
            while checked is None and (chunk := await chunks.next()) is not None:
                await content.add(chunk)
            await job.refuse_other(str(content))
            counts = job.result or {}
            self.progress.done_before(counts.get("created", 0), counts.get("skipped", 0))
            return
        await self._work(core, chunks, job, content)

    async def _work(self, core: Core, chunks: Chunks, job: Job, content: "Content") -> None:
        """Add what is missing, and record how far this call has come."""
        progress = self.progress
        try:
            if job.had_begun:
                self._before = await self._look_twice(core)
            await self._add_missing(core, chunks)
            await job.refuse_other(str(content), said="these contacts are not those of the first call. ")
        except BaseException as error:
            is_unknown, has_effect = bool(progress.unknown), progress.has_begun
            if isinstance(error, GeneratorExit):
                job.abandon(is_unknown=is_unknown, has_effect=has_effect)
            else:
                ending = job.interrupt(is_unknown=is_unknown, has_effect=has_effect)
                with suppress(asyncio.CancelledError):
                    await run_to_completion(ending)
            raise
        result = {"created": progress.result.created, "skipped": progress.result.skipped}
        await run_to_completion(job.complete(result, str(content)))

    async def _add_missing(self, core: Core, chunks: Chunks) -> None:
        attempts = 0
        while True:
            await self.send_chunks(core, lambda: self._next(chunks))
            if not self._lost:
                return
            lost, self._lost = self._lost, []
            there = await self._find(core, lost)
            attempts = 0 if there else attempts + 1
            if attempts == _ATTEMPTS:
                error = lost[-1][1]
                raise NotSentError(
                    f"{_OPERATION}: the service did not get the last requests, however often they were sent.",
                    operation=_OPERATION,
                    method=error.method,
                    path=error.path,
                    phase=error.phase,
                ) from error

    async def _next(self, chunks: Chunks) -> Chunk | None:
        """Return the next chunk to send: what was lost, and then what the campaign did not have before."""
        if self._again:
            return self._again.popleft()
        while len(self._lost) < _MAX_LOST and (chunk := await chunks.next()) is not None:
            if self._content is not None:
                await self._content.add(chunk)
            missing = chunk if self._before is None else _without(chunk, self._before)
            self.progress.found(chunk.rows.without(missing.rows), is_new=False)
            if missing.rows:
                return missing
        return None

    def request(self, chunk: Chunk) -> Request[ContactsAdded]:
        """Return the request for a chunk, which leaves only as long as this call has the job."""
        job = self._job
        assert job is not None

        async def before_send() -> None:
            await job.before_send()
            await self.progress.leaves(chunk.rows)

        request = attrs.evolve(super().request(chunk), before_send=before_send, before_first_byte=job.before_first_byte)
        return self._with_key(request)

    async def send(self, core: Core, chunk: Chunk) -> None:
        """Send the request for a chunk, and account for its rows. If it is lost, the others go on."""
        try:
            self.progress.confirmed(chunk.rows, await core.execute(self.request(chunk)))
        except OutcomeUnknownError as error:
            self._lost.append((chunk, error))
        except TingTingError as error:
            self.progress.failed(chunk.rows, error)
            raise

    def _with_key(self, request: Request[Any]) -> Request[Any]:
        return attrs.evolve(request, idempotency_key=self.key, send_target=self.target)

    async def _find(self, core: Core, lost: list[tuple[Chunk, OutcomeUnknownError]]) -> int:
        """Find out what became of lost requests. Return how many of their contacts the campaign has."""
        numbers = await self._look()
        if any(_without(chunk, numbers).rows for chunk, _ in lost):
            numbers = await self._look_twice(core, numbers)
        count = 0
        for chunk, _ in lost:
            missing = _without(chunk, numbers)
            there = chunk.rows.without(missing.rows)
            self.progress.found(there, is_new=True)
            self.progress.stayed(missing.rows)
            count += len(there)
            if missing.rows:
                self._again.append(missing)
        return count

    async def _look_twice(self, core: Core, numbers: NumberSet | None = None) -> NumberSet:
        """Return the numbers that the campaign has, after the service had time to carry out what was lost."""
        numbers = await self._look() if numbers is None else numbers
        await core.sleep(_OPERATION, WAIT)
        return await self._look(numbers)

    async def _look(self, numbers: NumberSet | None = None) -> NumberSet:
        """Return the numbers that the campaign has, and those of an earlier look.

        Raises:
            OutcomeUnknownError: The list does not show all of them.
        """
        numbers, doubt = numbers or NumberSet(), ""
        try:
            async for contact in self.list_contacts():
                try:
                    numbers.add(phone_number(contact.number or ""))
                except UsageError:
                    doubt = "shows numbers in another form"
        except NotFoundError as error:
            raise NotFoundError(
                f"{_OPERATION}: an earlier call with this `idempotency_key` has not added all contacts, and the "
                "campaign does not exist any more. Nothing more was sent. To forget that call, give its record in "
                "`await ledger.unresolved()` to `await ledger.mark_not_sent(send)`: the key is then free.",
                status=error.status,
                message=error.message,
                body=error.body,
                operation=_OPERATION,
                method=error.method,
                path=error.path,
                request_id=error.request_id,
            ) from error
        except PaginationError:
            doubt = "is not proven to be complete"
        except DecodeError:
            doubt = "cannot be decoded"
        if doubt:
            raise OutcomeUnknownError(
                f"{_OPERATION}: it is unknown which contacts were added, because the list of the campaign's contacts "
                f"{doubt}. To find out, {self.hint}.",
                operation=_OPERATION,
                method="POST",
                path=self.path,
                phase="response",
            )
        return numbers


def _without(chunk: Chunk, numbers: NumberSet) -> Chunk:
    """Return the contacts of a chunk whose numbers are not among these."""
    contacts = list(zip(chunk.rows, chunk.contacts(), strict=True))
    missing = [(row, contact) for row, contact in contacts if contact["number"] not in numbers]
    if len(missing) == len(contacts):
        return chunk
    body = Encoded(dumps({"contacts": [contact for _, contact in missing]}))
    return Chunk(Rows(*(range(row, row + 1) for row, _ in missing)), body)


class Content:
    """The content of contacts, as a text that is the same in whatever order they are."""

    def __init__(self) -> None:
        self._count = self._total = 0

    async def add(self, chunk: Chunk) -> None:
        """Add the contacts of a chunk."""
        await asyncio.sleep(0)
        for contact in chunk.contacts():
            text = json.dumps(contact, sort_keys=True).encode()
            self._total += int.from_bytes(hashlib.sha256(text).digest(), "big")
            self._count += 1

    def __str__(self) -> str:
        return f"{self._count} contacts, {self._total:x}"
