"""The errors of calls that the ledger refuses, because it already has the same send or creation."""

from typing import Any

from tingting_async.errors import DuplicateSendError, UsageError
from tingting_async.http.messages import Request
from tingting_async.ledger.claims import StoredClaim
from tingting_async.ledger.digests import digest
from tingting_async.outcomes import HOW_TO_RECORD, NEW_KEY, Creation, Send, SendState
from tingting_async.redaction import redact


def changed_error(send: Send, request: Request[Any], creation: Creation, changed: list[str]) -> UsageError:
    """Return the error for a creation whose key was used with other arguments."""
    names = " and ".join(f"`{name}`" for name in changed)
    return UsageError(
        f"{request.operation}: nothing was sent now. The first call with {redact(f'the key {send.key!r}')} "
        f"({send.started_at:%Y-%m-%d %H:%M:%S} UTC) had other arguments for {names}. {creation.advice}"
    )


async def is_other_send(stored: StoredClaim, request: Request[Any]) -> bool:
    """Return whether a stored send has the same key as a request, but another target or other arguments.

    The arguments of a send with a target are not compared: nobody runs a campaign twice, even with another message.

    Raises:
        LedgerError: The arguments cannot be compared.
    """
    if request.creation is not None:  # Its arguments are compared one by one; see `changed_fields`.
        return False
    target, own = stored.send.target, request.send_target
    if target or own:
        return bool(target and own) and target != own
    has_content = request.json is not None or bool(request.recipient)
    if not stored.digest or not has_content or stored.digest == await digest(request, stored.digest):
        return False
    # Older versions did not store the recipient.
    return not request.recipient or stored.digest != await digest(request.replaced(recipient=""), stored.digest)


def duplicate_error(send: Send, request: Request[Any], *, is_other: bool = False) -> DuplicateSendError:
    """Return the error for a send or a creation that the ledger already has.

    Args:
        send: The ledger's record.
        request: The request that is refused.
        is_other: Whether the recorded send had other arguments.
    """
    advice = _advice(send, is_other=is_other)
    if is_other:  # The text may have been changed since, so nobody but the caller knows whether it is the same send.
        advice = f"It had other arguments. If this is another send, give it a key of its own. Otherwise, {advice}"
    else:
        advice = advice[0].upper() + advice[1:]
    what = f"the target {send.target!r}" if send.key is None else f"the key {send.key!r}"
    details = send.operation if send.key is None or send.target is None else f"{send.operation}, {send.target}"
    return DuplicateSendError(
        f"{request.operation}: nothing was sent. The ledger records {redact(what)} as {send.state.value} "
        f"({redact(details)}, {send.started_at:%Y-%m-%d %H:%M:%S} UTC). {advice}",
        operation=request.operation,
        send=send,
        is_other=is_other,
    )


def _advice(send: Send, *, is_other: bool) -> str:
    """Return what to do about a send that the ledger has, as sentences that begin in lower case."""
    match send.state:
        case SendState.DONE if is_other:
            return "do nothing: it was sent."
        case SendState.DONE:
            return "to send again on purpose, give a new `idempotency_key`."
        case SendState.IN_PROGRESS:
            return "try again later: a running process is waiting for the response."
        case SendState.UNKNOWN:
            advice = "it may have been sent: call this error's `reconcile()`. If the verdict is unknown, find out "
            advice += f"yourself. {HOW_TO_RECORD}"
            return advice if send.key is None or is_other else f"{advice} {NEW_KEY}"
