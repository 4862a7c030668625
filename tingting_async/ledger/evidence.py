"""The content of a creation's claim: digests of its content, and what was known before its request left."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set as AbstractSet
from typing import Any, cast

from tingting_async.http.messages import File, Request
from tingting_async.ledger.claims import StoredClaim
from tingting_async.ledger.digests import hashed
from tingting_async.outcomes import Creation, Look, Reconciliation, Verdict

Others = tuple[list[StoredClaim], frozenset[str]]
"""The other claims for the same target that are unfinished, and the results of those that are done."""
_PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds between the checks while another creation of the same name is unfinished."""


async def digests(request: Request[Any], like: str = "") -> tuple[str, dict[str, str]]:
    """Return a digest of the content, and a short hash of each of its fields.

    Args:
        request: The request.
        like: A digest to compare with; see `hashed`.

    Raises:
        LedgerError: The content cannot be hashed.
    """
    content = _content(request)
    whole = "\n".join(f"{name}={content[name]}" for name in sorted(content))
    digest, (_, *fields) = await hashed(
        request, {"": (whole, 16), **{f".{name}": (text, 4) for name, text in content.items()}}, like
    )
    return digest, dict(zip(content, fields, strict=True))


def _content(request: Request[Any]) -> dict[str, str]:
    """Return the content that another call with the same key must have, as texts that are equal if the values are."""
    if request.form:
        fields: dict[str, Any] = {}
        for name, value in request.form:
            # When the call is repeated, the same file may have another name, e.g. a temporary file's.
            shown = f"file {hashlib.sha256(value.content).hexdigest()}" if isinstance(value, File) else value
            fields.setdefault(name, []).append(shown)
    else:
        fields = cast("dict[str, Any]", request.json or {})
    beside: Mapping[str, str] = {} if request.creation is None else request.creation.content
    return {**{name: _text(value) for name, value in fields.items()}, **beside}


def _text(value: Any) -> str:
    if isinstance(value, dict):
        pairs = cast("dict[Any, Any]", value).items()
        return "{" + ", ".join(sorted(f"{key!r}: {_text(each)}" for key, each in pairs)) + "}"
    if isinstance(value, list | tuple):
        items = [_text(each) for each in cast("list[Any]", value)]
        has_order = any(isinstance(each, dict) for each in cast("list[Any]", value))  # As steps have; numbers do not.
        return "[" + ", ".join(items if has_order else sorted(items)) + "]"
    return repr(value)


async def changed_fields(stored: StoredClaim, request: Request[Any]) -> list[str]:
    """Return the arguments in which a creation differs from the stored one with its key."""
    if not stored.evidence:
        return []  # It was recorded by `mark_sent()` after it had been deleted.
    digest, fields = await digests(request, stored.digest)
    if digest == stored.digest:
        return []
    before: dict[str, str] = _unpack(stored)["fields"]
    names = dict(request.creation.arguments) if request.creation is not None else {}
    changed = [name for name in {**before, **fields} if before.get(name) != fields.get(name)]
    return sorted(names.get(name, name) for name in changed) or ["the content"]


def pack(found: Mapping[str, Any], fields: Mapping[str, str], unfinished: frozenset[str]) -> str:
    """Return the evidence of a claim.

    Args:
        found: What the service showed.
        fields: The hashes of the fields.
        unfinished: The ids of the unfinished claims for the same target, whose requests have left before that.
    """
    return json.dumps({"found": dict(found), "fields": dict(fields), "unfinished": sorted(unfinished)})


async def reconcile_creation(
    creation: Creation, stored: StoredClaim, read_others: Callable[[], Awaitable[Others]]
) -> Reconciliation:
    """Return whether a creation was carried out: whether something exists that did not exist before.

    Args:
        creation: The creation.
        stored: Its claim.
        read_others: Returns the other claims and results in the ledger for the same target.
    """
    evidence = _unpack(stored)
    for pause in (*_PAUSES, 0.0):
        look = await creation.look(stored.send, evidence["found"])
        # Read after the check, so that anything it shows of another creation in this ledger has its claim by now.
        unfinished, taken = await read_others()
        rivals = [each for each in unfinished if each.send.id not in evidence["unfinished"]]
        verdict = _judge(creation, look, taken, rivals)
        # Repeated calls of the rivals find out what became of them.
        if verdict.verdict is not Verdict.UNKNOWN or not rivals or not pause:
            return verdict
        await asyncio.sleep(pause)
    raise AssertionError("the last check has no pause")


def _unpack(stored: StoredClaim) -> dict[str, Any]:
    evidence: dict[str, Any] = json.loads(stored.evidence)
    return evidence


def _judge(creation: Creation, look: Look, taken: AbstractSet[str], rivals: Sequence[StoredClaim]) -> Reconciliation:
    """Return the verdict of a check.

    Args:
        creation: The creation.
        look: What may have been created.
        taken: The ids of the results of other creations.
        rivals: The claims of other creations that began later, and whose outcome is unknown.
    """
    new, maybe = ([each for each in rows if creation.identify(each) not in taken] for rows in (look.new, look.maybe))
    if not new and not maybe:
        return look.otherwise
    before = [_unpack(rival)["found"] for rival in rivals]
    # A rival has not made what existed before its request left.
    own = [each for each in new if all(creation.was_there(each, found) for found in before)]
    if len(own) == 1 and len(new) - 1 <= len(rivals):
        return Reconciliation(Verdict.DONE, f"{creation.what} is there, and was not there before.", own[0])
    if rivals:
        reason = "another creation of the same name, whose outcome is unknown, may have made it"
    else:
        reason = "there are several" if new else "it may have been there before, or have another name"
    return Reconciliation(Verdict.UNKNOWN, f"{creation.what} is there, but {reason}.", [*new, *maybe][0])
