"""What a ledger in PostgreSQL does with its session: claims and outcomes in batches, retries, and checks."""

import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from typing import Any

import attrs

from tingting_async.errors import LedgerError, TingTingError
from tingting_async.ledger.claims import Claim, Elapsed
from tingting_async.ledger.postgres_session import ADVICE, VERSION, LostError, PooledError, Session
from tingting_async.ledger.postgres_statements import CHECK, Statements, as_json, claim_rows, new_claim
from tingting_async.outcomes import Verdict
from tingting_async.postgres import Postgres, PostgresError

RETRY_PAUSES = (0.0, 0.1, 0.3, 1.0, 2.0)
"""Seconds before each further attempt if a connection is lost: servers close idle connections, and restart."""
_RETRY_LIMIT = 5.0
"""Seconds after work was asked for in which a further attempt may begin."""
_RETRY_MINIMUM = 0.5
"""Seconds after a first attempt in which a further one may begin, however long the work has waited before."""
_REPEATABLE = ("40001", "40P01")
"""The codes of errors after which the same transaction may succeed: a deadlock, a conflict with another one."""
_SLOW = "57014"
"""The code of the error for a statement that took too long: of itself, or because all of them wait for something."""
_MISSING = ("42P01", "3F000")
"""The codes of errors for a table, or a schema, that does not exist."""


@attrs.frozen
class Renewal:
    """The owner of a claim is about to begin."""

    id: str


@attrs.frozen(repr=False)
class Outcome:
    """The owner of a claim knows what became of it."""

    id: str
    verdict: Verdict
    result: str | None
    mark: tuple[str, Verdict] | None = None
    claim: Claim | None = None


@attrs.define(eq=False, repr=False)
class Work:
    """Something to do in a batch, and its result.

    Claims, renewals and outcomes share a transaction and one round trip. A function has a transaction of its own.
    """

    what: "Claim | Renewal | Outcome | Callable[[Statements], Any]"
    about: str = ""
    """The id of the claim that a function changes, if it changes one."""
    result: Any = None
    error: Exception | None = None
    since: float = attrs.field(factory=time.monotonic)

    def ids(self) -> set[str]:
        """Return the ids of the claims that it concerns."""
        if callable(self.what):
            return {self.about} if self.about else set[str]()
        mark = self.what.mark if isinstance(self.what, Outcome) else None
        return {self.what.id} if mark is None else {self.what.id, mark[0]}


class Database:
    """Executes the work of a ledger; the database of its `Writer`.

    Args:
        postgres: How to connect.
    """

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self._session: Session | None = None
        self._owners: set[int] = set()
        """The owners that the claims of this object may have: its session, and those before it."""
        self._lapsed: set[str] = set()
        """The claims that this object stored in a session that has ended: their requests must not begin any more."""
        self._ledger: str | None = None
        """The id of the ledger that this object has used."""
        self._last: tuple[str | None, datetime | None] = (None, None)
        """The id of the send that this object recorded last as done, and when it started."""
        self._inherited: Session | None = None

    @contextmanager
    def transaction(self) -> Generator[list[Work]]:
        """Collect work, and do it at the end of the block. Its results and errors are in the work itself."""
        batch: list[Work] = []
        yield batch
        self._do(deque(_groups(batch)))

    def close(self) -> None:
        """End the session. The next work begins another one, which is another owner."""
        if self._session is not None:
            self._session.release()
        self._drop()
        self._disown()

    def after_fork(self) -> None:
        """Leave the session to the parent. This object still refers to it, so that nothing closes it here."""
        if self._session is not None:
            self._session.abandon()
            self._inherited, self._session = self._session, None
        self._disown()

    def _disown(self) -> None:
        """Give up the claims of this object. Others then see them as unknown."""
        self._owners.clear()
        self._lapsed.clear()

    def _drop(self) -> None:
        """Close the connection of the session, regardless of its state."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _do(self, groups: deque[list[Work]]) -> None:
        """Do groups of work, each in a transaction.

        If the server refuses a group, each piece of it is tried alone, because only one may be at fault. If the
        connection is lost, or two groups in a row take too long, the rest fails at once: it would wait just as long.
        """
        slow = 0
        while groups:
            works = groups.popleft()
            try:
                self._attempt(works)
            except TingTingError as error:
                works[0].error = error
            except Exception as error:  # noqa: BLE001 - from the server, the system, or values that cannot be read
                is_lost = isinstance(error, PostgresError) and error.is_lost
                is_refused = isinstance(error, PostgresError) and not is_lost and not isinstance(error, LostError)
                slow = slow + 1 if isinstance(error, PostgresError) and error.sqlstate == _SLOW else 0
                if is_refused and len(works) > 1:
                    groups.extendleft([work] for work in reversed(works))
                else:
                    self._fail(works, error)
                if is_lost or slow > 1:
                    self._fail([work for each in groups for work in each], error)
                    return
            else:
                slow = 0

    def _fail(self, works: list[Work], error: Exception) -> None:
        for work in works:
            work.error = self._ledger_error(error)

    def _attempt(self, works: list[Work]) -> None:
        """Do work in a transaction, and again in another session if the connection is lost."""
        again, asked = False, min(work.since for work in works)
        deadline = max(asked + _RETRY_LIMIT, time.monotonic() + _RETRY_MINIMUM)
        for pause in (*RETRY_PAUSES, None):
            try:
                with self._postgres.errors():
                    session = self._open()
                    if callable(works[0].what):
                        self._call(session, works[0])
                    else:
                        self._store(session, works, again=again)
            except PostgresError as error:
                if error.is_lost:
                    self._drop()
                if pause is None or time.monotonic() + pause > deadline or not _is_repeatable(error):
                    raise
            except TingTingError:
                raise
            except (ValueError, TypeError) as error:  # psycopg's, of a text that cannot be encoded.
                raise PostgresError(f"a value cannot be stored ({type(error).__name__})") from None
            except BaseException:
                self._drop()  # What the session has executed is not known.
                raise
            else:
                return
            again = True
            time.sleep(pause)

    def _open(self) -> Session:
        """Return the session, after beginning one if there is none."""
        if self._session is None or self._session.connection.closed:
            session = Session(self._postgres)
            try:
                self._ledger = session.ensure_tables(known=self._ledger)
                before = self._owners.copy()
                self._owners.add(session.owner)
                if before:
                    # The sends that wait for a response are still this object's, and it will record what became of
                    # them. Until now, others saw that they are unknown.
                    self._statements(session).take_over(before)
            except BaseException:
                session.close()
                raise
            self._session = session
        return self._session

    def _call(self, session: Session, work: Work) -> None:
        statements = self._statements(session)
        self._require(statements.execute(CHECK).fetchone())
        assert callable(work.what)
        work.result = work.what(statements)

    def _store(self, session: Session, works: list[Work], *, again: bool) -> None:
        """Store claims and outcomes, and renew claims, in one transaction and, as a rule, one round trip."""
        is_job = any(isinstance(work.what, Outcome) and work.what.mark is not None for work in works)
        with session.transaction() if again or is_job else nullcontext():
            self._store_all(session, works, again=again)

    def _store_all(self, session: Session, works: list[Work], *, again: bool) -> None:
        statements, now = self._statements(session), Elapsed.start()
        claims = [work.what for work in works if isinstance(work.what, Claim)]
        new = {claim.id: new_claim(claim) for claim in claims}
        renewed = [work.what.id for work in works if isinstance(work.what, Renewal)]
        given: dict[str, Any] = {"renewed": [each for each in renewed if each not in self._lapsed]}
        outcomes = [work.what for work in works if isinstance(work.what, Outcome)]
        if marks := {outcome.id: outcome.mark for outcome in outcomes if outcome.mark is not None}:
            outcomes += [Outcome(*marks[id_], None) for id_ in statements.lock([*marks])]
        for name, verdict in (("not_done", Verdict.NOT_DONE), ("unknown", Verdict.UNKNOWN)):
            given[name] = [outcome.id for outcome in outcomes if outcome.verdict is verdict]
        if done := [outcome for outcome in outcomes if outcome.verdict is Verdict.DONE]:
            given["done"] = as_json([{"id": outcome.id, "result": outcome.result} for outcome in done])
        if claims:
            given["claimed"] = claim_rows(claims, [*new.values()])
            if again:
                statements.forget([*new])
        check, changed = statements.store(**{name: each for name, each in given.items() if each})
        self._require(check)
        for last in changed.get("done", {}).items():
            self._last = last
        for outcome in done:
            if outcome.claim is not None and outcome.id not in changed["done"]:
                statements.restore(outcome.claim, outcome.result)
        self._lapsed.difference_update(outcome.id for outcome in outcomes)
        for work in works:
            if isinstance(work.what, Claim):
                work.result = new[work.what.id] if work.what.id in changed["claimed"] else None
            elif isinstance(work.what, Renewal):
                work.result = now if work.what.id in changed.get("renewed", {}) else None

    def _statements(self, session: Session) -> Statements:
        """Return the `Statements`, which change nothing unless this is the ledger as it was before."""
        guard = {"ledger": self._ledger, "version": VERSION, "backend": session.backend, "owner": session.owner}
        return Statements(session, guard | {"last": self._last[0], "last_started": self._last[1]}, self._lapsed)

    def _require(self, checks: tuple[Any, ...] | None) -> None:
        """Raise what is wrong with the ledger, if anything is."""
        if checks is None:
            raise LostError("has an empty table tingting_ledger")
        is_ledger, is_version, is_session, is_complete = checks
        if not is_ledger:
            raise LostError("is another ledger")
        if not is_session:
            self._drop()
            raise PooledError
        if not is_version:  # The next session migrates the tables, or refuses them.
            raise PostgresError("its tables were migrated", is_lost=True)
        if not is_complete:
            raise LostError("lacks a send that this process recorded")

    def _ledger_error(self, error: Exception) -> LedgerError:
        name, code = self._postgres.name, error.sqlstate if isinstance(error, PostgresError) else ""
        if code in _MISSING:
            error = LostError("lacks a table")
        if isinstance(error, LostError):
            text = (
                f"The ledger in {name} {error}, so it does not hold what was sent before. Restore it. To start a new "
                "ledger, which allows every send again, drop the tables tingting_ledger and tingting_sends, and make a "
                "new PostgresLedger."
            )
        else:
            advice = ADVICE.get(code, "Check that the server is up and reachable, and look in its log.")
            if isinstance(error, PostgresError) and error.is_refused:
                advice = error.advice
            text = f"The ledger in {name} cannot be used: {str(error) or type(error).__name__}. {advice}"
        made = LedgerError(text)
        made.__cause__ = error.with_traceback(None)
        return made


def _groups(batch: list[Work]) -> list[list[Work]]:
    """Return the work by transactions.

    Claims, renewals and outcomes come first, together. Functions, and work on a claim that earlier work in the batch
    already touches, follow one by one, in order. They cannot share a statement, because the parts of one statement do
    not see each other's changes.
    """
    together: list[Work] = []
    alone: list[list[Work]] = []
    seen: set[str] = set()
    for work in batch:
        ids = work.ids()
        if callable(work.what) or not ids.isdisjoint(seen):
            alone.append([work])
        else:
            together.append(work)
        seen |= ids
    return [together, *alone] if together else alone


def _is_repeatable(error: PostgresError) -> bool:
    if error.sqlstate in _REPEATABLE:
        return True
    return error.is_lost and not error.is_refused
