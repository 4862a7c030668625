"""Failed sends, creations and revocations: the error, how often the request is sent, and what a ledger frees."""

import json
import random
from pathlib import Path
from typing import Any

import attrs
import pytest
from support.refusals import GATEWAY_BODIES, GATEWAY_HEADERS, OWN_BODIES, OWN_WORDS, TOKEN_WORDS
from support.servers import Received, serving

from tingting_async import (
    ApiError,
    AuthenticationError,
    DuplicateSendError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitedError,
    RetryPolicy,
    TingTing,
)
from tingting_async.http.messages import Effect, Request, Response as Raw
from tingting_async.ledger.sqlite import SqliteLedger

pytestmark = pytest.mark.anyio

STRICT = (Effect.CREATE, Effect.SEND, Effect.REVOKE)


@pytest.fixture
def ledger(tmp_path: Path) -> SqliteLedger:
    """Return a ledger of its own for each test."""
    return SqliteLedger(tmp_path / "ledger")


@attrs.frozen
class Reply:
    """A response that reports a failure."""

    status: int
    body: Any
    headers: dict[str, str] = attrs.field(factory=dict[str, str])

    async def send(self, received: Received) -> None:
        """Write the response."""
        content = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        await received.respond(content, self.status, **self.headers)


@attrs.frozen
class Result:
    """What became of a call whose first response was a failure."""

    error: type[Exception] | None
    """The error of the call."""
    requests: int
    """How often the service received the request."""
    is_free: bool
    """Whether the same call may be made again, although a ledger records the sends."""


SENT_AGAIN = Result(None, 2, is_free=False)
UNKNOWN = Result(OutcomeUnknownError, 1, is_free=False)


async def call(
    effect: Effect, reply: Reply, ledger: SqliteLedger, *, is_after: bool, times: int = 1, key: str = "k"
) -> tuple[Result, int]:
    """Make a call; return what became of it, and how often the service acted on it until then.

    The service responds to the first requests with the reply, before or after it acts. It accepts later ones.
    """
    requests = actions = 0

    async def script(received: Received) -> None:
        nonlocal requests, actions
        if received.target != "/send":
            tokens = {"access": f"access-{received.number}", "refresh": "refresh"}
            user = {"first_name": "Sita", "last_name": "Rai", "email": "e"}
            await received.respond(json.dumps({"data": {"token": tokens, "user_data": user}, **tokens}).encode())
            return
        requests += 1
        actions += is_after or requests > times
        if requests <= times:
            await reply.send(received)
        else:
            await received.respond(b'{"message": "Done"}')

    request = Request(
        "POST", "/send", effect, "things.send", Raw, idempotency_key=key if effect is Effect.SEND else None
    )
    async with (
        serving(script) as server,
        TingTing(
            base_url=server.url,
            email="e",
            password="p",
            retries=RetryPolicy(initial_backoff=0),
            ledger=ledger,
        ) as tingting,
    ):
        error: type[Exception] | None = None
        try:
            await tingting._core.execute(request)
        except Exception as raised:  # noqa: BLE001 - judged by the test
            error = type(raised)
        received, done = requests, actions
        is_free = True
        try:
            await tingting._core.execute(request)
        except DuplicateSendError:
            is_free = False
    return Result(error, received, is_free), done


def expected(effect: Effect, wanted: Result) -> Result:
    """Return the same for an effect. Only sends are in the ledger."""
    return attrs.evolve(wanted, is_free=wanted.is_free or effect is not Effect.SEND)


INVALID = {"detail": "Given token not valid for any token type", "code": "token_not_valid"}
DENIED = {"detail": "You do not have permission to perform this action."}
THROTTLED = {"detail": "Request was throttled. Expected available in 1 second."}

CASES = [
    (False, Reply(401, INVALID), SENT_AGAIN),
    (False, Reply(403, INVALID), SENT_AGAIN),
    (False, Reply(403, DENIED), Result(PermissionDeniedError, 1, is_free=True)),
    (False, Reply(429, THROTTLED, {"retry_after": "1"}), SENT_AGAIN),
    (False, Reply(429, THROTTLED), Result(RateLimitedError, 1, is_free=True)),
    (True, Reply(403, b"<html><h1>Request blocked</h1></html>", {"content_type": "text/html"}), UNKNOWN),
    (True, Reply(503, {"message": "Service Unavailable"}), UNKNOWN),
    (True, Reply(503, b"<html>busy</html>", {"retry_after": "0", "content_type": "text/html"}), UNKNOWN),
    (True, Reply(401, b"<html>sign in</html>", {"content_type": "text/html"}), UNKNOWN),
    (True, Reply(401, {"message": "Unauthorized"}), UNKNOWN),
    (True, Reply(429, {"message": "Too Many Requests"}, {"retry_after": "0"}), UNKNOWN),
    (True, Reply(429, b"", {"retry_after": "0"}), UNKNOWN),
    (True, Reply(404, b""), UNKNOWN),
    (True, Reply(503, THROTTLED, {"retry_after": "0"}), UNKNOWN),
]


@pytest.mark.parametrize(("is_after", "reply", "wanted"), CASES, ids=str)
async def test_cases(ledger: SqliteLedger, is_after: bool, reply: Reply, wanted: Result) -> None:
    """Only the service's own refusal frees a send or lets it be retried. Any other failure may follow the action."""
    happened = 1 if is_after or wanted.error is None else 0
    assert (wanted, happened) == await call(Effect.SEND, reply, ledger, is_after=is_after)


def instance(chance: random.Random, effect: Effect) -> tuple[bool, Reply, Result]:
    """Return a response, whether the service acts before it, and the result that the call must have."""
    author = chance.choice(["token", "words", "form", "gateway", "5xx", "header"])
    wait = chance.choice([None, "0", "0.0", "soon"])
    headers = {} if wait is None else {"retry_after": wait}
    guarded = chance.choice([401, 403, 408, 425, 429])
    other = chance.choice([400, 402, 404, 405, 406, 409, 410, 411, 413, 415, 418, 422, 451])
    refused = Result(ApiError, 1, is_free=True)
    match author:
        case "token":
            status = chance.choice([401, 403, guarded, other])
            # The service knows no account for 429; a revocation is repeated after a refused token, and only then.
            is_throttled = status == 429 and wait in ("0", "0.0") and effect is not Effect.REVOKE
            return (
                False,
                Reply(status, chance.choice(TOKEN_WORDS), headers),
                SENT_AGAIN if status in (401, 403) or is_throttled else refused,
            )
        case "words":
            status = chance.choice([403, 408, 425, 429, other])
            is_throttled = status == 429 and wait in ("0", "0.0") and effect is not Effect.REVOKE
            return False, Reply(status, chance.choice(OWN_WORDS), headers), SENT_AGAIN if is_throttled else refused
        case "form":
            return False, Reply(other, chance.choice(OWN_BODIES), headers), refused
        case "gateway":
            body = chance.choice(GATEWAY_BODIES + OWN_BODIES)
            status = guarded if body in OWN_BODIES else chance.choice([guarded, other, 499])
            return chance.choice([True, False]), Reply(status, body, headers), UNKNOWN
        case "header":
            headers |= chance.choice(GATEWAY_HEADERS)
            return chance.choice([True, False]), Reply(guarded, chance.choice(OWN_WORDS), headers), UNKNOWN
        case _:
            body = chance.choice(GATEWAY_BODIES + OWN_BODIES + OWN_WORDS + TOKEN_WORDS)
            status = chance.choice([500, 501, 502, 503, 504, 507, 520, 524, 599])
            return chance.choice([True, False]), Reply(status, body, headers), UNKNOWN


@pytest.mark.parametrize("effect", STRICT)
async def test_any_failure(ledger: SqliteLedger, effect: Effect) -> None:
    """Statuses, bodies and headers in any combination, before and after the service acts, have the right result."""
    chance = random.Random(f"refusals {effect}")
    for number in range(120):
        is_after, reply, wanted = instance(chance, effect)
        found, happened = await call(effect, reply, ledger, is_after=is_after, key=f"k{number}")
        if wanted.error is ApiError and found.error is not None and issubclass(found.error, ApiError):
            found = attrs.evolve(found, error=ApiError)
        assert expected(effect, wanted) == found, (number, is_after, reply)
        assert happened == (wanted.error is None or (is_after and wanted is UNKNOWN)), (number, is_after, reply)


@pytest.mark.parametrize("effect", STRICT)
@pytest.mark.parametrize("status", [401, 403])
async def test_second_refusal_of_a_token(ledger: SqliteLedger, status: int, effect: Effect) -> None:
    """A token that is refused again after it was refreshed ends the call with an AuthenticationError."""
    found, happened = await call(effect, Reply(status, INVALID), ledger, is_after=False, times=2)
    assert (Result(AuthenticationError, 2, is_free=True), 0) == (found, happened)


@pytest.mark.parametrize("effect", [Effect.READ, Effect.UPDATE])
@pytest.mark.parametrize("status", [401, 408, 425, 429, 500, 503])
async def test_repeatable_requests(ledger: SqliteLedger, status: int, effect: Effect) -> None:
    """A read or an update is retried after a failure, even if a gateway may have written the response."""
    found, happened = await call(effect, Reply(status, b"<html>"), ledger, is_after=True)
    assert (Result(None, 2, is_free=True), 2) == (found, happened)
