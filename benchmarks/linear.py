"""How the cost of every text that a server or a caller makes long grows: at most fifteenfold from 100 kB to 1,000 kB.

`python benchmarks/linear.py` prints a line for each case, and fails if one of them grows faster. `python
benchmarks/linear.py page` measures only the cases with "page" in their name. Times are CPU times.
"""

import asyncio
import gc
import json
import os
import random
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

import attrs
from multidict import CIMultiDict, CIMultiDictProxy

import tingting_async.v1
from tingting_async import TingTing, TingTingError, classic
from tingting_async.auth.tokens import Tokens
from tingting_async.classic.models import RunStarted as ClassicRunStarted
from tingting_async.classic.pages import RESPONSES as CLASSIC
from tingting_async.client.retries import final_error
from tingting_async.decoding import api_errors, audio
from tingting_async.decoding.decoder import Decoder
from tingting_async.errors import TransportError
from tingting_async.http.messages import Effect, Request, Response
from tingting_async.http.throttle import Slots
from tingting_async.http.transport import map_error
from tingting_async.pagination.links import next_query
from tingting_async.persistence import Job
from tingting_async.recipients.spellings import is_same_number, phone_number, phone_numbers
from tingting_async.redaction import redact
from tingting_async.resources import arguments
from tingting_async.resources.models import OtpChannel
from tingting_async.v1.auth import V1AuthScheme
from tingting_async.v1.models.campaigns import Campaign, RunStarted
from tingting_async.v1.models.contacts import Contact, ContactsAdded
from tingting_async.v1.pages import RESPONSES as V1
from tingting_async.v1.reports import _decode_rows

SIZES = (100_000, 1_000_000)
MAX_RATIO = 15
NEGLIGIBLE = 0.02
"""Seconds of the large text that pass, whatever the ratio: clocks and caches decide it, not the code."""
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**30)}
"""Makes glibc keep freed memory. By default, each text above 128 kB gets new memory, at the cost of page faults."""
SECRETS = ("hunter2", "opaque-token-of-the-account", "refresh-token-of-the-account")

READ = Request.read("/api/v1/things/1/", dict, "things.get", secrets=SECRETS)
SEND = Request.send("/api/v1/things/1/", dict, "things.send", secrets=SECRETS)
OTP = Request.send("/api/v1/auths/send/otp/", dict, "otp.send", secrets=SECRETS)

WORDS = {
    "letters": "a",
    "words": "abc ",
    "Nepali": "नमस्ते ",
    "spaces": " ",
    "lines": "\n",
    "starts of tokens": "eyJ",
    "tokens": "eyJhbGciOiJI.eyJzdWIiOjF9.c2ln ",
    "dots": "eyJ.",
    "hexadecimal": "f",
    "hexadecimal words": "7acbdcd5619e4b9eaaad8e41 ",
    "bearer": "bearer ",
    "bearer and spaces": "bearer" + " " * 50,
    "digits": "1",
    "spaced digits": "1 ",
    "numbers": "9800000001, ",
    "short numbers": "980-00, ",
    "separators": "1--",
    "URLs": "http://user:hunter2@host/ ",
    "slashes": "/",
    "user names": "//a",
    "at signs": "//@",
    "codes": "one-time code pin otp ",
    "named": '"token":',
    "named and spaces": '"otp"' + " " * 50,
    "quotes": '"',
    "escapes": '\\"',
    "backslashes": "\\",
    "messages": '"message":"',
    "tags": "<",
    "titles": "<title>",
    "secrets": "hunter2",
    "brackets": "(",
    "placeholders": "{a}",
    "open placeholders": "{",
    "cookies": "a=",
    "percent signs": "%41",
    "ampersands": "a=1&",
    "semicolons": "a=1;",
    "colons": "1:",
}
"""Pieces of text, which are repeated."""


def repeated(piece: str, size: int) -> str:
    """Return a text of `size` bytes."""
    return piece * (size // len(piece.encode()))


def response(body: Any, status: int = 200, **headers: str) -> Response:
    """Return a response; a body that is not bytes is written as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return Response(status, CIMultiDictProxy(named), content)


def judged(body: Any, status: int = 400, request: Request[Any] = SEND, **headers: str) -> Callable[[], Any]:
    """Return the judging of a failure, up to the text of the error that the caller gets."""
    decoder = Decoder(V1, lambda: SECRETS)
    received = response(body, status, **headers)

    def case() -> None:
        error = decoder.judge(request, attrs.evolve(received))
        if error is not None:
            str(final_error(request, error))

    return case


def decoded(body: Any, model: Any, request: Request[Any] = READ, response_format: Any = V1) -> Callable[[], Any]:
    """Return the decoding of a response, or of a page if the model is a list."""
    decoder = Decoder(response_format, lambda: SECRETS)
    is_page = model not in (dict, list) and getattr(model, "__origin__", None) is list
    wanted = attrs.evolve(request, model=model, payload=("results",) if is_page else ())
    received = response(body)

    def case() -> None:
        try:
            (decoder.decode_rows if is_page else decoder.decode)(wanted, attrs.evolve(received))
        except TingTingError as error:
            str(error)

    return case


def called(function: Callable[..., Any], *args: Any, **options: Any) -> Callable[[], Any]:
    """Return a call that may raise one of our errors."""

    def case() -> None:
        try:
            function(*args, **options)
        except TingTingError as error:
            str(error)

    return case


def check_numbers(values: list[str]) -> None:
    """Check the numbers of a classic campaign."""
    asyncio.run(phone_numbers(values))


def awaited(function: Callable[..., Any], *args: Any, **options: Any) -> Callable[[], Any]:
    """Return a call of an operation of the v1 API that refuses its arguments, or of the classic one."""

    async def call(session: Any) -> None:
        async with session(base_url="http://127.0.0.1:9", api_token="t", retries=1) as tingting:
            await function(tingting, *args, **options)

    def case() -> None:
        for session in (tingting_async.v1.TingTing, TingTing):
            try:
                asyncio.run(call(session))
            except (TingTingError, AttributeError, TypeError) as error:  # One generation lacks it.
                str(error)

    return case


def texts_of_servers(size: int) -> dict[str, Callable[[], Any]]:
    """Return the cases of responses that contain one long text."""
    cases: dict[str, Callable[[], Any]] = {}
    for name, piece in WORDS.items():
        text = repeated(piece, size)
        row = {"id": 1, "number": "9800000001", "status": text}
        cases |= {
            f"400, detail: {name}": judged({"detail": text}),
            f"403, plain text: {name}": judged(text.encode(), 403),
            f"otp.send, 400, field: {name}": judged({"number": [text]}, 400, OTP),
            f"200, not JSON: {name}": decoded(text.encode(), dict),
            f"200, string: {name}": decoded({"id": text, "name": text, "services": text}, Campaign),
            f"200, page: {name}": decoded(
                {"count": 1, "next": text, "previous": None, "results": [row]}, list[Contact]
            ),
            f"200, key: {name}": decoded({text: {text: [text]}, "id": None}, Campaign),
            f"run, message: {name}": decoded({"message": text}, RunStarted, SEND),
            f"run, hold amount: {name}": called(
                lambda text: ClassicRunStarted(data={"hold amount": text}).credits_on_hold, text
            ),
            f"audio: {name}": called(audio.find_audio, Decoder(V1), READ, response(text.encode())),
            f"report: {name}": called(_decode_rows, Decoder(V1), READ, response(f"number\n{text}\n".encode())),
            f"next: {name}": called(next_query, f"http://host/?{text}", 2),
            f"redact: {name}": called(redact, text),
            f"redact, codes: {name}": called(redact, text, codes=True),
            f"redact, secrets: {name}": called(READ.redact, text),
            f"token: {name}": called(Tokens.of, text, text),
            f"Retry-After: {name}": called(api_errors.retry_after, response({}, 429, Retry_After=text)),
            f"Date: {name}": called(
                api_errors.retry_after,
                response({}, 429, Retry_After="Fri, 31 Dec 9999 23:59:59 GMT", Date=text),
            ),
            f"error of the connection: {name}": called(
                map_error, READ, OSError(text), "http://host", is_connected=True, is_closed=False
            ),
            f"lost: {name}": called(lambda text: final_error(SEND, TransportError(text)), text),
        }
    return cases


def lists_of_servers(size: int) -> dict[str, Callable[[], Any]]:
    """Return the cases of responses with many parts."""
    many = size // 10

    def page(rows: list[Any]) -> dict[str, Any]:
        return {"count": len(rows), "next": None, "previous": None, "results": rows}

    rows = [{"row": 0, "error": "no"}] * (many // 3)
    cases: dict[str, Callable[[], Any]] = {
        "400, the same field again and again": judged({"errors": [{"a": "b"}] * many}),
        "400, many fields": judged({f"field-{number}": ["no"] for number in range(many // 2)}),
        "400, many errors of a field": judged({"number": ["no"] * many}),
        "400, many rows": judged([{"number": ["no"]}] * (many // 2)),
        "400, many messages": judged({"message": ["no", *map(str, range(many))]}),
        "400, deep": judged(b'{"detail":' * many),
        "400, deep lists": judged(b"[" * size + b"]" * size),
        "400, deep in part": judged({"errors": [[[[["no"]]]]] * many}),
        "401, many messages": judged({"detail": "no", "messages": [{"message": "no"}] * (many // 2)}, 401),
        "200, failure with many errors": judged({"success": False, "errors": ["no"] * many}, 200),
        "200, failure of many fields": judged(
            {"errors": {f"field-{number}": ["no"] for number in range(many // 2)}}, 200
        ),
        "200, deep": decoded(b'{"a":' * many, dict),
        "page, rows of the wrong type": decoded(page([1] * many), list[Contact]),
        "page, empty rows": decoded(page([{}] * many), list[Contact]),
        "page, wrong fields": decoded(page([{"id": "x", "number": []}] * (many // 3)), list[Contact]),
        "page, many unknown fields": decoded(
            page([{f"a-field-that-is-unknown-{number}": 1 for number in range(many // 3)}]), list[Contact]
        ),
        "page, many fields beside": decoded(
            {**page([]), **{f"a-field-that-is-unknown-{number}": 1 for number in range(many // 3)}}, list[Contact]
        ),
        "contacts added, errors of one row": decoded(
            {"created": 1, "contacts": [], "errors": rows}, ContactsAdded, SEND
        ),
        "contacts added, errors without a row": decoded({"created": 1, "errors": ["no"] * many}, ContactsAdded, SEND),
        "confirmation, many messages": decoded({"message": ["no"] * many}, RunStarted, SEND),
        "report, many rows": called(_decode_rows, Decoder(V1), READ, response(b"number\n" + b"98000\n" * many)),
        "report, many columns": called(_decode_rows, Decoder(V1), READ, response(b"number," * many + b"\n1\n")),
        "links": called(next_query, [{"url": f"/?page={number}", "label": "x"} for number in range(many // 4)], 2),
        "links, unlabelled": called(next_query, [f"/?page=x{number}" for number in range(many)], 2),
        "cookies": called(
            V1AuthScheme().read_login,
            READ,
            Response(200, CIMultiDictProxy(CIMultiDict([("Set-Cookie", "c=v; Path=/")] * (many // 2))), b"{}"),
        ),
        "classic page, empty rows": decoded(
            {"pagination": {}, "result": {"campaign-lists": [{}] * many}}, list[classic.Campaign], READ, CLASSIC
        ),
    }
    return cases


def inputs_of_callers(size: int) -> dict[str, Callable[[], Any]]:
    """Return the cases of long arguments."""
    many = size // 10
    numbers = [str(9_800_000_000 + number) for number in range(many // 5)]
    cases: dict[str, Callable[[], Any]] = {
        "ids": called(arguments.identifiers, range(many), "ids"),
        "ids, one twice": called(arguments.identifiers, [*range(many), many - 1], "ids"),
        "ids, all twice": called(arguments.identifiers, [*range(many), *range(many)], "ids"),
        "numbers": called(check_numbers, numbers),
        "numbers, all twice": called(check_numbers, numbers + numbers),
        "numbers, none valid": called(check_numbers, ["x"] * (many // 5)),
        "contacts, all twice": awaited(lambda to: to.contacts.add_many(1, numbers + numbers)),
        "tags": called(
            arguments.require_known_tags, [*map(str, range(many))], [str(number) for number in range(many)], "m"
        ),
        "unknown argument": called(
            arguments.refuse_unknown, "things.get", {"n" * size: 1}, ["name", "number"], lambda name: name
        ),
        "query": called(lambda: Request("GET", "/", Effect.READ, "x", dict, params=(("q", "é " * many),)).query),
    }
    for name, piece in WORDS.items():
        text = repeated(piece, size)
        cases |= {
            f"number: {name}": called(phone_number, text, "number"),
            f"the same number: {name}": called(is_same_number, text, "9800000001"),
            f"message: {name}": called(arguments.collapse_whitespace, text),
            f"placeholders: {name}": called(arguments.placeholders, text),
            f"enum: {name}": called(arguments.enum_member, OtpChannel, text, "channel"),
            f"code: {name}": called(arguments.otp, "9800000001", "{otp}", "text", otp=text, length=None),
            f"campaign: {name}": awaited(lambda to, text: to.campaigns.create(text, text), text),
            f"base_url: {name}": called(lambda text: TingTing(base_url=f"http://{text}"), text),
            f"api_token: {name}": called(lambda text: TingTing(api_token=text), text),
        }
    return cases


async def cancel_all(wait: Callable[[], Coroutine[Any, Any, None]], count: int) -> None:
    """Start many waits, and cancel them in any order."""
    tasks = [asyncio.ensure_future(wait()) for _ in range(count)]
    await asyncio.sleep(0)
    for task in random.Random(14).sample(tasks, count):
        task.cancel()
    await asyncio.wait(tasks)


def waits(size: int) -> dict[str, Callable[[], Any]]:
    """Return the cases of many calls that wait for the same thing and are cancelled."""
    many = size // 100

    async def wait_for_slots() -> None:
        await cancel_all(Slots(0).wait, many)

    async def wait_for_refresh() -> None:
        async def work(_: Job) -> None:
            await asyncio.Event().wait()

        job = Job(work)
        await cancel_all(job.wait, many)
        await job.stop()

    return {
        "waits for a slot": lambda: asyncio.run(wait_for_slots()),
        "waits for a token refresh": lambda: asyncio.run(wait_for_refresh()),
    }


def seconds(case: Callable[[], Any], limit: float = 0.2) -> float:
    """Return the shortest time of a case, out of several if they are quick."""
    best, until = float("inf"), time.perf_counter() + limit
    gc.collect()
    for _ in range(10):
        started = time.process_time()
        case()
        best = min(best, time.process_time() - started)
        if time.perf_counter() > until:
            break
    return max(best, 1e-6)


def main() -> int:
    """Measure every case; return 1 if one grows too fast."""
    if "MALLOC_MMAP_THRESHOLD_" not in os.environ:
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ALLOCATOR})
    small, large = SIZES
    wrong = 0
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    gc.disable()  # How often it runs, and how long it takes, depends on all objects of the process.
    for make in (texts_of_servers, lists_of_servers, inputs_of_callers, waits):
        before, after = make(small), make(large)
        for name in before:
            if wanted not in name:
                continue
            first = seconds(before[name])
            if first > 1:
                print(f"{name:50} {first * 1000:10.2f} ms at {small // 1000} kB: too slow to go on", flush=True)
                wrong += 1
                continue
            second = seconds(after[name])
            for _ in range(3):  # Another program may have disturbed one of them.
                if second <= MAX_RATIO * first:
                    break
                first, second = min(first, seconds(before[name])), min(second, seconds(after[name]))
            ratio = second / first
            is_wrong = ratio > MAX_RATIO and second > NEGLIGIBLE
            wrong += is_wrong
            print(
                f"{name:50} {first * 1000:10.2f} ms {second * 1000:10.2f} ms {ratio:7.1f}{' TOO FAST' * is_wrong}",
                flush=True,
            )
    print(f"{wrong} cases grow more than {MAX_RATIO}fold.")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
