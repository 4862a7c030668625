"""The statements of a ledger in PostgreSQL, and the rows that they read and write."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Any

import attrs

from tingting_async.ledger.claims import JOB, Claim, Decision, StoredClaim, may_begin_for
from tingting_async.ledger.postgres_session import Session
from tingting_async.outcomes import Clocks, Send, SendState, Verdict

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Cursor

PRUNED = 10_000
"""The number of claims that are deleted in one transaction: a larger one would keep everything else waiting."""
_GIVEN = ("id", "service", "operation", "key", "target", "digest", "evidence")
# Whether this is the ledger and the session that this object has used, and the form of the tables, and whether the
# send that it recorded last as done is still there. If not, nothing is changed.
_GUARD = """(
    SELECT id = %(ledger)s AND version = %(version)s AND pg_backend_pid() = %(backend)s AND (
        %(last)s::text IS NULL OR deleted_until >= %(last_started)s::timestamptz
        OR EXISTS (SELECT 1 FROM tingting_sends WHERE id = %(last)s)
    ) FROM tingting_ledger
)"""
_CHECKS = f"id = %(ledger)s, version = %(version)s, pg_backend_pid() = %(backend)s, {_GUARD}"
CHECK = f"SELECT {_CHECKS} FROM tingting_ledger"
_COLUMNS = {
    "id": "text",
    "service": "text",
    "operation": "text",
    "key": "text",
    "target": "text",
    "started_at": "timestamptz",
    "service_time": "timestamptz",
    "monotonic": "float8",
    "digest": "text",
    "evidence": "text",
}
_NAMES = ", ".join(_COLUMNS)
_TYPES = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
# Not `NOT is_done`, the condition of an index: the server would read all of that instead of looking up the ids.
_IS_UNFINISHED = "is_done IS NOT TRUE"
# Parts of one statement, which is one transaction and one round trip; each has the name of its parameter. Rows are
# JSON, because psycopg takes forty times as long to write arrays: with 14 claims, 0.6 ms.
_PARTS = {
    # In the same order in all processes, so that none waits for another one that waits for it.
    "claimed": f"""
        INSERT INTO tingting_sends ({_NAMES}, owner)
        SELECT {_NAMES}, %(owner)s FROM json_to_recordset(%(claimed)s::json) AS new({_TYPES})
        WHERE {_GUARD} ORDER BY service, operation, key, target
        ON CONFLICT DO NOTHING RETURNING id, started_at
    """,
    "renewed": f"""
        UPDATE tingting_sends SET renewed_at = clock_timestamp()
        WHERE id = ANY(%(renewed)s) AND owner = %(owner)s AND {_IS_UNFINISHED} AND {_GUARD} RETURNING id, started_at
    """,
    "done": f"""
        UPDATE tingting_sends SET is_done = true, result = coalesce(new.result, tingting_sends.result)
        FROM json_to_recordset(%(done)s::json) AS new(id text, result text)
        WHERE tingting_sends.id = new.id AND {_IS_UNFINISHED} AND {_GUARD}
        RETURNING tingting_sends.id, started_at
    """,
    "not_done": f"""
        DELETE FROM tingting_sends WHERE id = ANY(%(not_done)s) AND {_IS_UNFINISHED} AND {_GUARD}
        RETURNING id, started_at
    """,
    "unknown": f"""
        UPDATE tingting_sends SET owner = 0 WHERE id = ANY(%(unknown)s) AND {_IS_UNFINISHED} AND {_GUARD}
        RETURNING id, started_at
    """,
}
_RECORD = {
    Verdict.DONE: "UPDATE tingting_sends SET is_done = true, result = coalesce(%(result)s, result) WHERE id = %(id)s",
    Verdict.NOT_DONE: "DELETE FROM tingting_sends WHERE id = %(id)s",
    Verdict.UNKNOWN: "UPDATE tingting_sends SET owner = 0 WHERE id = %(id)s",
}
_DELETED_UNTIL = "UPDATE tingting_ledger SET deleted_until = greatest(deleted_until, %(until)s)"
# An owner is alive if its session holds its lock.
_IS_ALIVE = """owner IN (
    SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND mode = 'ExclusiveLock' AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)"""
_SELECT = f"""
SELECT id, service, operation, key, target, is_done, NOT is_done AND {_IS_ALIVE}, started_at, service_time, monotonic,
    result, digest, evidence,
    CASE WHEN is_done OR owner = 0 THEN NULL ELSE extract(epoch FROM clock_timestamp() - renewed_at)::float8 END
FROM tingting_sends
"""
_FIND = f"""
{_SELECT} WHERE service = %(service)s AND operation = %(operation)s AND key = %(key)s
OR service = %(service)s AND target = %(target)s AND coalesce(key, '') = coalesce(%(key)s, '')
ORDER BY target IS DISTINCT FROM %(target)s, number LIMIT 1
"""
_UNFINISHED = f"{_SELECT} WHERE service = %(service)s AND target = %(target)s AND NOT is_done ORDER BY number"
_RESULTS = """
SELECT result FROM tingting_sends
WHERE service = %(service)s AND target = %(target)s AND id <> %(id)s AND is_done AND result IS NOT NULL
"""
_OTHERS = """
SELECT 1 FROM tingting_sends
WHERE service = %(service)s AND target = %(target)s AND key IS DISTINCT FROM %(key)s::text
"""
_LATER = f"{_OTHERS} AND number > coalesce((SELECT number FROM tingting_sends WHERE id = %(id)s), -1)"
# Stores again a claim that was deleted although it is done, unless another claim has replaced it.
_RESTORE = f"""
INSERT INTO tingting_sends ({_NAMES}, owner, is_done, result)
SELECT {_NAMES}, 0, true, %(result)s FROM json_to_recordset(%(claims)s::json) AS new({_TYPES})
WHERE {_GUARD} ON CONFLICT DO NOTHING
"""
# Not for jobs: another call may continue the job, and knows which parts are done.
_TAKE_OVER = """
UPDATE tingting_sends SET owner = %(owner)s
WHERE owner = ANY(%(before)s) AND NOT is_done AND NOT starts_with(id, %(job)s) RETURNING id
"""
# Until the transaction ends, no other process stores a claim for the target.
_LOCK_TARGET = "SELECT pg_advisory_xact_lock(hashtextextended(%(service)s || ' ' || %(target)s, 0))"
# A creation stays as long as it protects an unfinished one of the same target.
_PRUNE = f"""
DELETE FROM tingting_sends WHERE id IN (
    SELECT id FROM tingting_sends AS old WHERE is_done AND started_at < %(until)s AND (evidence = '' OR NOT EXISTS (
        SELECT 1 FROM tingting_sends AS other
        WHERE other.service = old.service AND other.target = old.target AND NOT other.is_done
    )) LIMIT {PRUNED}
)
"""


@attrs.frozen(eq=False, repr=False)
class Statements:
    """Executes statements in a session. Those that change something do so only in the ledger that was used before."""

    session: Session
    guard: dict[str, Any]
    lapsed: set[str]
    """Claims of sessions that have ended; see `Database`."""

    def execute(self, query: str, *, keeps_plan: bool = False, **arguments: Any) -> "Cursor[tuple[Any, ...]]":
        """Execute a statement. It is planned for the table as it is now, unless its plan is kept, which saves time."""
        return self.session.connection.execute(
            query.encode(), self.guard | arguments, prepare=None if keeps_plan else False
        )

    def store(self, **given: Any) -> tuple[tuple[Any, ...] | None, dict[str, dict[str, Any]]]:
        """Claim, renew and record in one transaction and one round trip.

        Args:
            **given: What to do: the rows of claims and of those that are done, and the ids of the others.

        Returns:
            What `CHECK` finds, and the ids that each part has changed, with the times of their starts.
        """
        if not given:
            return self.execute(CHECK).fetchone(), {}
        parts = ", ".join(f"{name} AS ({_PARTS[name]})" for name in given)
        shown = ", ".join(f"ARRAY(SELECT id FROM {name}), ARRAY(SELECT started_at FROM {name})" for name in given)
        query = f"WITH {parts} SELECT {_CHECKS}, {shown} FROM tingting_ledger"
        row = self.execute(query, keeps_plan=True, **given).fetchone()
        if row is None:
            return None, {}
        pairs = zip(row[4::2], row[5::2], strict=True)
        return row[:4], {name: dict(zip(*pair, strict=True)) for name, pair in zip(given, pairs, strict=True)}

    def lock(self, ids: list[str]) -> list[str]:
        """Return which of these claims are stored and not done. Nobody else can change those in this transaction."""
        query = f"SELECT id FROM tingting_sends WHERE id = ANY(%(ids)s) AND {_IS_UNFINISHED} ORDER BY id FOR UPDATE"
        return [id_ for (id_,) in self.execute(query, ids=ids)]

    def forget(self, ids: list[str]) -> None:
        """Delete claims that an attempt whose connection was lost may have stored, for another owner."""
        self.execute(_PARTS["not_done"], not_done=ids)
        self.lapsed.difference_update(ids)

    def rows(self, query: str, **arguments: Any) -> list[StoredClaim]:
        """Return the claims that a query finds."""
        return [_read(row) for row in self.execute(query, **arguments)]

    def find(self, claim: Claim) -> StoredClaim | None:
        """Return the stored claim that a claim would duplicate."""
        found = self.rows(_FIND, **_identity(claim))
        return found[0] if found else self._other(claim)

    def unfinished(self, claim: Claim) -> list[StoredClaim]:
        """Return the stored claims for the same service and target that are not done."""
        return self.rows(_UNFINISHED, **_identity(claim))

    def results(self, claim: Claim) -> frozenset[str]:
        """Return the results of the other claims for the same service and target that are done."""
        return frozenset(result for (result,) in self.execute(_RESULTS, id=claim.id, **_identity(claim)))

    def has_others(self, claim: Claim, *, later: bool) -> bool:
        """Return whether another key has a claim for the same service and target, stored later or at any time."""
        query = f"{_LATER if later else _OTHERS} LIMIT 1"
        return self.execute(query, id=claim.id, **_identity(claim)).fetchone() is not None

    def restore(self, claim: Claim, result: str | None) -> None:
        """Store a claim that is done, unless it is stored, or another one that it would duplicate."""
        self.execute(_RESTORE, claims=claim_rows([claim], [new_claim(claim)]), result=result)

    def take_over(self, owners: set[int]) -> None:
        """Make this session the owner of the unfinished claims of others. They have lapsed."""
        self.lapsed.update(id_ for (id_,) in self.execute(_TAKE_OVER, before=[*owners], job=JOB))

    def create(self, claim: Claim) -> StoredClaim | None:
        """Store the claim of a creation, or return the claim that is in its way; None if that was deleted meanwhile."""
        with self.session.transaction():
            self.forget([claim.id])
            self.execute(_LOCK_TARGET, **_identity(claim))
            if (other := self.find(claim)) is not None:
                return other
            new = new_claim(claim)
            found = self.execute(_PARTS["claimed"], claimed=claim_rows([claim], [new])).fetchone()
            return new if found is not None else None

    def record(self, id: str, decision: Decision, result: str | None) -> float:
        """Record what somebody decided about a claim; see `Storage`."""
        with self.session.transaction():
            self.execute("SELECT 1 FROM tingting_sends WHERE id = %(id)s FOR UPDATE", id=id)
            found = self.rows(f"{_SELECT} WHERE id = %(id)s", id=id)
            if not found:
                if decision.verdict is Verdict.DONE and decision.claim is not None:
                    self.restore(decision.claim, result)
                decision.check_missing(None if decision.claim is None else self.find(decision.claim), result)
            for stored in found:
                if rest := decision.rest(stored):
                    return rest
                verdict = decision.verdict_for(stored.send, result)
                if verdict is Verdict.NOT_DONE and stored.send.state is SendState.DONE:
                    self.execute(_DELETED_UNTIL, until=stored.send.started_at)
                if verdict is not None:
                    self.execute(_RECORD[verdict], id=id, result=result)
        return 0.0

    def sends(self, *, is_unfinished: bool) -> list[Send]:
        """Return all sends, or those that are not done, the oldest first."""
        where = "WHERE NOT is_done" if is_unfinished else ""
        return [stored.send for stored in self.rows(f"{_SELECT} {where} ORDER BY number")]

    def prune(self, before: "datetime") -> int:
        """Delete claims that are done and started before a time, but no more than `PRUNED` of them."""
        with self.session.transaction():
            self.execute(_DELETED_UNTIL, until=before)
            return self.execute(_PRUNE, until=before).rowcount

    def _other(self, claim: Claim) -> StoredClaim | None:
        """Return an unfinished claim for the same target that the evidence of a creation does not allow for."""
        if claim.seen is None:
            return None
        return next((each for each in self.unfinished(claim) if each.send.id not in claim.seen), None)


def new_claim(claim: Claim) -> StoredClaim:
    """Return a claim as it is when it is stored now."""
    clocks = claim.read_clocks()
    state, fields = SendState.IN_PROGRESS, (claim.id, claim.service, claim.operation, claim.key, claim.target)
    return StoredClaim(Send(*fields, state=state, started_at=clocks.local, clocks=clocks), claim.digest, claim.evidence)


def claim_rows(claims: Sequence[Claim], stored: Sequence[StoredClaim]) -> str:
    """Return the rows of new claims, as JSON."""
    found: list[dict[str, Any]] = []
    for claim, each in zip(claims, stored, strict=True):
        row = {name: getattr(claim, name) for name in _GIVEN}
        row["started_at"], clocks = each.send.started_at.isoformat(), each.send.clocks
        if clocks is not None:
            row["service_time"] = None if clocks.service is None else clocks.service.isoformat()
            row["monotonic"] = clocks.monotonic
        found.append(row)
    return as_json(found)


def as_json(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as a JSON array of objects."""
    return json.dumps(rows, ensure_ascii=False)


def _identity(claim: Claim) -> dict[str, Any]:
    return {name: getattr(claim, name) for name in ("service", "operation", "key", "target")}


def _read(row: tuple[Any, ...]) -> StoredClaim:
    id_, url, operation, key, target, is_done, is_alive, started, service, monotonic, *others = row
    result, digest, evidence, age = others
    state = SendState.DONE if is_done else SendState.IN_PROGRESS if is_alive else SendState.UNKNOWN
    started_at = started.astimezone(UTC)
    clocks = Clocks(started_at, None if service is None else service.astimezone(UTC), monotonic)
    send = Send(id_, url, operation, key, target, state, started_at, clocks, result)
    return StoredClaim(send, digest, evidence, may_begin_for(age))
