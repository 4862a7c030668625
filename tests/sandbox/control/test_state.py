"""The clock and the tokens, by the control interface."""

import math
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from support.sandboxes import make, run

from tingting_async import TingTing
from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio
Call = Callable[..., Any]


async def test_clock(sandbox: Sandbox, call: Call) -> None:
    """The clock shows the sandbox's time in both forms, and moves forward on request."""
    _, before = await call("GET", "clock")
    status, after = await call("POST", "clock/advance", {"seconds": 3600})
    assert status == 200
    assert 3600 <= after["now"] - before["now"] < 3660
    assert after["iso"] == sandbox.clock.iso(after["now"])


async def test_what_is_due_has_happened(sandbox: Sandbox, call: Call) -> None:
    """After the response to `clock/advance`, everything that was due by then has happened."""
    async with TingTing(base_url=sandbox.url, api_token=sandbox.api_token) as tingting:
        campaign = await tingting.campaigns.create("Notice", "SMS", numbers=["9800000001"])
        await tingting.campaigns.run(campaign.id, message="नमस्ते")
    await call("POST", "clock/advance", {"seconds": 60})
    assert sandbox.world.campaigns[campaign.id].status == "Completed"


@pytest.mark.parametrize("kind", ["access", "refresh"])
async def test_expire_tokens(sandbox: Sandbox, call: Call, kind: str) -> None:
    """All tokens of a kind become invalid, and those of the other kind stay valid."""
    other = "refresh" if kind == "access" else "access"
    tokens = {each: sandbox.tokens.issue(sandbox.world.owner, each) for each in (kind, other)}
    assert await call("POST", "tokens/expire", {"kind": kind}) == (200, {"kind": kind})
    assert sandbox.tokens.account(tokens[kind], kind) is None
    assert sandbox.tokens.account(tokens[other], other) is sandbox.world.owner


async def test_unknown_kinds_of_tokens(call: Call) -> None:
    """A kind of token that does not exist is refused with those that do."""
    status, body = await call("POST", "tokens/expire", {"kind": "api"})
    assert (status, body["field"]) == (400, "kind")
    assert body["error"] == 'kind="api" is not valid: use "access" or "refresh".'


@pytest.mark.parametrize(("given", "expected"), [(60, 60.0), (0.5, 0.5), ("max", math.inf)])
async def test_speed(sandbox: Sandbox, call: Call, given: Any, expected: float) -> None:
    """The clock's speed can be set, and is shown as it was given."""
    status, clock = await call("PATCH", "clock", {"speed": given})
    assert (200, given) == (status, clock["speed"])
    assert expected == sandbox.clock.speed


@pytest.mark.parametrize("speed", [0, -1, "fast", None, True, 1e300, 1_000_001])
async def test_invalid_speeds(call: Call, speed: Any) -> None:
    """A speed that the clock cannot have is refused."""
    status, body = await call("PATCH", "clock", {"speed": speed})
    assert (400, "speed") == (status, body["field"])


@pytest.mark.parametrize("seconds", [-1, "1", None, 1e300, 101 * 366 * 86400])
async def test_invalid_steps(sandbox: Sandbox, call: Call, seconds: Any) -> None:
    """A step that the clock cannot make is refused, and the clock stays usable."""
    status, body = await call("POST", "clock/advance", {"seconds": seconds})
    assert (400, "seconds") == (status, body["field"])
    assert (200, 200) == ((await call("GET", "clock"))[0], (await call("POST", "reset"))[0])


async def test_limits_of_the_clock(sandbox: Sandbox, call: Call) -> None:
    """The control interface and the page take the steps and speeds that `Clock` takes, and refuse others as it does."""
    year = 366 * 86400
    body, text = dict[str, str](), ""
    async with aiohttp.ClientSession(sandbox.url) as http:
        for seconds in (40 * year, 101 * year):
            status, body = await call("POST", "clock/advance", {"seconds": seconds})
            await call("POST", "reset")
            async with http.post("/actions/advance", data={"seconds": str(seconds)}, allow_redirects=False) as pressed:
                expected = (200, 303) if seconds == 40 * year else (400, 400)
                assert expected == (status, pressed.status)
                text = await pressed.text()
            await call("POST", "reset")
    with pytest.raises(ValueError, match="100 years") as caught:
        sandbox.clock.advance(101 * year)
    words = str(caught.value).partition(": ")[2]
    assert (True, True) == (words in body["error"], words in text)
    with pytest.raises(ValueError, match="must be greater than 0") as caught:
        sandbox.clock.speed = 1e7
    async with (
        aiohttp.ClientSession(sandbox.url) as http,
        http.post("/actions/speed", data={"speed": "1e7"}) as pressed,
    ):
        assert (400, True) == (pressed.status, str(caught.value) in await pressed.text())
    assert str(caught.value) == (await call("PATCH", "clock", {"speed": 1e7}))[1]["error"]


async def test_run_to_end(sandbox: Sandbox, call: Call) -> None:
    """All campaigns run to their end at once, scheduled ones too, and the clock is moved accordingly."""
    now, scheduled = make(sandbox, "PHONE", 3), make(sandbox, "PHONE", 3)
    run(sandbox, now)
    run(sandbox, scheduled, at=sandbox.clock.now() + 86400)
    before = sandbox.clock.now()
    status, clock = await call("POST", "clock/run-to-end")
    assert status == 200
    assert clock["now"] > before + 86400
    assert ["Completed"] * 2 == [now.status, scheduled.status]


async def test_reset(sandbox: Sandbox, call: Call) -> None:
    """Starting over removes what was sent, faults and requests, and brings the campaigns of the start back."""
    run(sandbox, make(sandbox, "SMS", 1))
    await call("POST", "clock/advance", {"seconds": 3600})
    await call("POST", "faults", {"kind": "reset"})
    assert (await call("POST", "reset"))[0] == 200
    counts = [(await call("GET", name))[1]["count"] for name in ("campaigns", "effects", "requests")]
    assert [2, 0, 0] == counts
    assert [] == (await call("GET", "faults"))[1]["faults"]
    assert [] == (await call("GET", "messages"))[1]["messages"]


@pytest.mark.parametrize("path", ["reset", "clock/run-to-end"])
async def test_fields_where_there_are_none(call: Call, path: str) -> None:
    """A request that takes no fields refuses them."""
    status, body = await call("POST", path, {"hard": True})
    assert (400, "There is no field hard: this request takes no fields.") == (status, body["error"])


async def test_advancing_out_of_range(sandbox: Sandbox, call: Call) -> None:
    """The clock cannot be moved out of the range of dates in many steps either; a reset brings it back."""
    step = {"seconds": 10 * 366 * 86400}
    for _ in range(9):
        assert 200 == (await call("POST", "clock/advance", step))[0]
    status, body = await call("POST", "clock/advance", step)
    assert (400, "seconds") == (status, body["field"])
    assert "100 years" in body["error"]
    assert 200 == (await call("GET", "clock"))[0]
    assert 200 == (await call("POST", "reset"))[0]
    assert 200 == (await call("POST", "clock/advance", step))[0]
