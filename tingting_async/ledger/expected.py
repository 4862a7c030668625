"""Which send `ensure_sent()` expects: it calls a function, and only the path of a request sees what the function sends.

The context variable of this module is the package's only state at module level. Each task has its own value, and gives
it to the tasks that it starts, so that concurrent calls of `ensure_sent()` do not see each other's. The value ends with
the call.
"""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from tingting_async.errors import TingTingError, UsageError
from tingting_async.http.messages import Effect, Request


class OtherCallError(UsageError):
    """The function of `ensure_sent()` does not make one call, and the same call each time."""


class ExpectedSend:
    """What `ensure_sent()` learns about the send that its function makes.

    Attributes:
        outer: The expectation of an `ensure_sent()` around this one.
        wait: Seconds between the two checks of `reconcile()`.
        request: The request of the send; None until the session gets it.
        refuse_duplicate: Raises a `DuplicateSendError` if the ledger has the send.
        failure: The error of the attempt before; None in the first attempt.
        refused: The error of a repeated attempt whose arguments are not valid.
        is_over: Whether `ensure_sent()` has returned. Tasks that the function has started may still be running.
    """

    def __init__(self, outer: "ExpectedSend | None", wait: float) -> None:
        self.outer: ExpectedSend | None = outer
        self.wait: float = wait
        self.request: Request[Any] | None = None
        self.refuse_duplicate: Callable[[], Awaitable[None]] | None = None
        self.failure: TingTingError | None = None
        self.refused: UsageError | None = None
        self.is_over: bool = False
        self._identity: tuple[str, str, str | None, str] | None = None

    def meets(
        self, request: Request[Any], service: str, refuse_duplicate: Callable[[], Awaitable[None]] | None
    ) -> None:
        """Note the send, or refuse a request that no ledger would recognise if it was sent again.

        Raises:
            UsageError: The request is refused.
        """
        operation, effect = request.operation, request.effect
        if effect is Effect.UPDATE and self.request is not None:
            return  # It prepares the send, which the ledger has been asked about.
        if effect not in (Effect.SEND, Effect.CREATE):
            raise OtherCallError(
                f"ensure_sent: {operation} was not called, because it is neither a send nor a creation."
            )
        if refuse_duplicate is None:
            raise OtherCallError(
                f"ensure_sent: nothing was sent. {operation} needs a ledger, which records it: `TingTing(ledger=…)`."
            )
        if request.idempotency_key is None and not (effect is Effect.SEND and request.send_target):
            raise OtherCallError(
                f"ensure_sent: nothing was sent, because {operation} has no `idempotency_key` by which the ledger "
                "could recognise it. Give one; if the operation does not accept one, call it without `ensure_sent`."
            )
        identity = (service, operation, request.idempotency_key, request.send_target)
        if self._identity not in (None, identity):
            raise OtherCallError(
                f"ensure_sent: {operation} was not sent, because the function has sent something else before. Call "
                "`ensure_sent` once for each send, and give the same `idempotency_key` each time it calls the function."
            )
        self.request, self.refuse_duplicate, self._identity = request, refuse_duplicate, identity


expected_send: ContextVar[ExpectedSend | None] = ContextVar("expected_send", default=None)


def check_expected(request: Request[Any], service: str, refuse_duplicate: Callable[[], Awaitable[None]] | None) -> None:
    """Tell `ensure_sent()` of a request, if its function makes it. Sessions call this before all requests but reads.

    Args:
        request: The request.
        service: The session's `base_url`.
        refuse_duplicate: Raises a `DuplicateSendError` if the ledger has the send; None without a ledger.

    Raises:
        UsageError: `ensure_sent()` expects another request.
    """
    expected = expected_send.get()
    while expected is not None:
        if not expected.is_over:
            expected.meets(request, service, refuse_duplicate)
        expected = expected.outer
