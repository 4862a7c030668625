"""`python -m tingting_async.sandbox`, in its own process."""

import math
import signal
import subprocess
from pathlib import Path
from typing import Any

import attrs
import pytest
import requests
from support.commands import COMMAND, served
from support.options import random_options
from support.sandboxes import wait_for

import tingting_async
from tingting_async import TingTing, v1
from tingting_async.sandbox import Options, Sandbox
from tingting_async.sandbox.__main__ import make_parser, read_arguments


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serves_until_a_signal(number: int) -> None:
    """It prints four variables that work, and exits with status 0 on SIGINT and SIGTERM."""
    options = ["--campaigns", "12", "--numbers", "1", "--page-size", "5", "--page-parameter", "links", "--seed", "7"]
    with served(*options) as (process, environment):
        assert set(environment) == {f"TINGTING_{name}" for name in ("BASE_URL", "EMAIL", "PASSWORD", "API_TOKEN")}
        url = environment["TINGTING_BASE_URL"]
        account = {"email": environment["TINGTING_EMAIL"], "password": environment["TINGTING_PASSWORD"]}
        login = requests.post(f"{url}/api/accounts/login/", json=account, timeout=20).json()
        for token in (login["data"]["token"]["access"], environment["TINGTING_API_TOKEN"]):
            headers = {"Authorization": f"Bearer {token}"}
            page = requests.get(f"{url}/api/system/campaigns", headers=headers, timeout=20).json()
            assert page["pagination"]["total_pages"] == 3
            following = requests.get(page["pagination"]["links"]["next"], headers=headers, timeout=20).json()
            assert following["pagination"]["page_number"] == 2
        process.send_signal(number)
        assert process.wait(timeout=20) == 0


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--page-size", "0"], "page_size=0 is not valid: it must be at least 1"),
        (["--campaigns", "-1"], "campaigns=-1 is not valid: it must be at least 0"),
        (["--numbers", "-1"], "numbers=-1 is not valid: it must be at least 0"),
        (["--access-lifetime", "-1"], "access_lifetime=-1.0 is not valid"),
        (["--refresh-lifetime", "nan"], "refresh_lifetime=nan is not valid"),
        (["--port", "99999"], "port"),
        (["--links", "x"], "strings"),
        (["--host", "192.0.2.1"], "address"),
        (["--allowed-host", "http://sandbox:8000"], "'http://sandbox:8000' is not a host name"),
    ],
)
def test_invalid_arguments(arguments: list[str], word: str) -> None:
    """An invalid argument is reported in one line, with exit status 2."""
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 2
    assert word in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_every_address() -> None:
    """A sandbox that listens on every address prints one that the client accepts."""
    with served("--host", "0.0.0.0", "--campaigns", "1") as (process, environment):
        assert environment["TINGTING_BASE_URL"].startswith("http://127.0.0.1:")
        assert TingTing(base_url=environment["TINGTING_BASE_URL"], api_token="t").base_url
        process.send_signal(signal.SIGINT)


def spelt(name: str, value: Any) -> list[str]:
    """Return the arguments of the command that give a setting a value."""
    option = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        return [option if value else option.replace("--", "--no-", 1)]
    return [option, *(value if isinstance(value, tuple) else ["none" if value is None else str(value)])]


@pytest.mark.parametrize("seed", range(20))
def test_every_setting(seed: int) -> None:
    """Every setting can be given in the command, with every value that it has in code."""
    settings = {**random_options(seed), "seed": seed, "access_lifetime": 0.5, "keep_requests": seed % 2 == 0}
    command = [word for name, value in settings.items() for word in spelt(name, value)]
    arguments = read_arguments(make_parser(), command)
    assert settings == {name: arguments[name] for name in settings}
    others = {"host", "port", "allowed_hosts", "open", "state"}
    assert {*others, *(field.name for field in attrs.fields(Options))} == arguments.keys()


def test_defaults() -> None:
    """Without arguments, the settings are those of code, but with more campaigns, and without keeping requests."""
    arguments = read_arguments(make_parser(), [])
    server = {"host": "127.0.0.1", "port": 0, "allowed_hosts": (), "open": False, "state": None}
    assert server == {name: arguments.pop(name) for name in server}
    assert Options(campaigns=1000, keep_requests=False) == Options(**arguments)


def test_settings_are_served() -> None:
    """The settings of the command line are those of the service."""
    with served("--campaigns", "1", "--unauthorized-status", "403", "--unauthorized-error", "expired") as (
        process,
        environment,
    ):
        headers = {"Authorization": "Bearer dead"}
        refused = requests.get(f"{environment['TINGTING_BASE_URL']}/api/v1/campaign/", headers=headers, timeout=20)
        assert (403, {"detail": "Signature has expired."}) == (refused.status_code, refused.json())
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0


@pytest.mark.parametrize(("given", "expected"), [("60", 60.0), ("0.5", 0.5), ("max", math.inf)])
def test_speed(given: str, expected: float) -> None:
    """The speed of the clock is a number, or "max"."""
    assert expected == Sandbox(**sandbox_arguments("--speed", given)).clock.speed


def test_invalid_speed() -> None:
    """A speed that is not a number is refused."""
    with pytest.raises(SystemExit):
        read_arguments(make_parser(), ["--speed", "fast"])


def sandbox_arguments(*given: str) -> dict[str, Any]:
    """Return the arguments of `Sandbox` that a command line gives."""
    arguments = read_arguments(make_parser(), ["--campaigns", "0", *given])
    return {name: value for name, value in arguments.items() if name not in ("open", "state")}


def test_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `--open`, it opens its address in the browser."""
    opened, browser = tmp_path / "opened", tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}.part && mv {opened}.part {opened}\n')
    browser.chmod(0o700)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    with served("--campaigns", "1", "--open") as (process, environment):
        wait_for(opened.exists)
        assert environment["TINGTING_BASE_URL"] == opened.read_text().strip().removesuffix("/")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0


@pytest.mark.anyio
async def test_campaigns_can_be_run_at_once() -> None:
    """Every campaign of the start can be run as it is, in both APIs, with either kind of credentials."""
    for api in (tingting_async, v1):
        with Sandbox(campaigns=30).in_thread() as sandbox:
            for credentials in (
                {"email": sandbox.email, "password": sandbox.password},
                {"api_token": sandbox.api_token},
            ):
                async with api.TingTing(base_url=sandbox.url, **credentials) as tingting:  # type: ignore[arg-type]
                    ids = sorted([campaign.id async for campaign in tingting.campaigns.list()])
                    for id_ in ids[::2] if "email" in credentials else ids[1::2]:
                        await tingting.campaigns.run(id_, **({"message": "m"} if api is tingting_async else {}))
            sandbox.run_to_end()
            assert 90 == len(sandbox.inbox)
            assert all(message.text for message in sandbox.inbox)
