"""What a person records with `mark_sent()` and `mark_not_sent()`: what is refused, so that no mark is lost silently."""

import re

from tingting_async.errors import DuplicateSendError, UsageError
from tingting_async.outcomes import Send, SendState, Verdict
from tingting_async.quantities import is_count, shown
from tingting_async.redaction import redact

_ID = re.compile(r"[0-9]{1,19}(?: [0-9a-f]{32})?")
"""The id of a campaign; or the number of rows of an upload, and in the ledger also the upload's own id."""


def is_result(result: object) -> bool:
    """Return whether a text is the result of a creation, as the ledger keeps it."""
    return isinstance(result, str) and _ID.fullmatch(result) is not None


def result_of_mark(result: object) -> str | None:
    """Return the result of a creation, as the ledger keeps it.

    Raises:
        UsageError: It is not an id. A later call with the key could not return what was created.
    """
    if result is None:
        return None
    text = str(result) if is_count(result, least=0) else result
    if isinstance(text, str) and is_result(text):
        return text
    is_plain = isinstance(result, str | int | float)
    said = shown(result) if is_plain else f"of the type {type(result).__name__}"
    raise UsageError(
        f"mark_sent: nothing was recorded. `result` is {said}; it must be the id of what was created, an integer of 0 "
        "or more, such as `campaign.id`. For an upload of contacts, it is the number of rows."
    )


def require_effect(send: Send, verdict: Verdict, result: str | None) -> None:
    """Refuse a mark that changes nothing, because the ledger records something else by now.

    Args:
        send: What the ledger has: this send, or another attempt at the same send.
        verdict: What the person says.
        result: The result that the person gave.

    Raises:
        UsageError: The ledger records something else than the person says.
    """
    if (
        verdict is Verdict.DONE
        and send.state is SendState.DONE
        and result in (None, send.result, (send.result or "").partition(" ")[0])
    ):
        return
    raise refused_mark(send, verdict)


def refused_mark(send: Send, verdict: Verdict) -> UsageError:
    """Return the error for a mark that changes nothing. Its cause has what the ledger records, as `send`."""
    with_result = f" with the result {send.result!r}" if send.result is not None else ""
    records = f"The ledger records {send.operation} ({_name(send)}) as {send.state.value}{with_result}"
    error = UsageError(
        f"{_method(verdict)}: nothing was recorded. {redact(records)}, which `send` does not show. If that is wrong, "
        "mark the `send` of this error's `__cause__`."
    )
    error.__cause__ = DuplicateSendError(f"{redact(records)}.", operation=send.operation, send=send)
    return error


def missing_send(verdict: Verdict) -> UsageError:
    """Return the error for a mark of a send that the ledger does not have, and that it would not refuse to repeat."""
    return UsageError(
        f"{_method(verdict)}: nothing was recorded. The ledger does not have this send any more: it was marked as not "
        "sent, or pruned. Without an `idempotency_key`, the ledger refuses no repetition of it."
    )


def _name(send: Send) -> str:
    if send.key is not None:
        return f"the key {send.key!r}"
    return f"the target {send.target!r}" if send.target is not None else f"the id {send.id}"


def _method(verdict: Verdict) -> str:
    return "mark_sent" if verdict is Verdict.DONE else "mark_not_sent"
