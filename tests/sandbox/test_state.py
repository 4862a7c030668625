"""The state of a sandbox in a file: `--state`."""

import json
import re
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from support.commands import COMMAND, served
from support.sandboxes import make, run, wait_for

from tingting_async.sandbox import Sandbox
from tingting_async.sandbox.state import dump, load

OTP = {"number": "9800000001", "message": "Code {otp}", "sms_send_options": "text"}


def copy(sandbox: Sandbox) -> Sandbox:
    """Return another sandbox with the state of one."""
    other = Sandbox(campaigns=1, seed=9)
    load(other, dump(sandbox), "state.json")
    return other


def everything(sandbox: Sandbox) -> dict[str, Any]:
    """Return the whole state, apart from the clock."""
    state: dict[str, Any] = json.loads(dump(sandbox))
    del state["ahead"]
    return state


def test_in_the_middle_of_runs() -> None:
    """A copy in the middle of runs is equal, and goes on exactly as the original does."""
    sandbox = Sandbox(campaigns=4, numbers=4)
    first, second, *_ = sandbox.world.campaigns.values()
    calling = make(sandbox, "SMS & PHONE", 12, failover_target=["failed", "unanswered"], message="Dear {name}")
    survey = make(sandbox, "SURVEY", 1, steps=[{"content_type": "play", "audio_file": "http://x/1.mp3", "order": 0}])
    sandbox.world.uploads["1.mp3"] = b"RIFF\xff"
    for campaign in (first, calling, survey):
        run(sandbox, campaign)
    run(sandbox, second, at=sandbox.clock.now() + 600)
    sandbox.clock.advance(4)
    token = sandbox.tokens.issue(sandbox.world.owner, "access")
    assert {"dialing", "answered", "ringing", "failed"} & {message.status for message in sandbox.inbox}
    sandbox.world.remove_contact(calling.contacts[1])  # In a call,
    sandbox.world.remove_contact(calling.contacts[-1])  # and still waiting.
    other = copy(sandbox)
    assert everything(sandbox) == everything(other)
    assert abs(sandbox.clock.now() - other.clock.now()) < 1
    account = other.tokens.account(token, "access")
    assert account is other.world.owner
    for each in (sandbox, other):
        each.run_to_end()
        each.world.add_campaign(each.world.owner, "new", "SMS", "")
        each.world.make_otp(6)
        each.world.campaigns.popitem()  # Its time is not the same.
        each.world.side_effects.pop()
    assert everything(sandbox) == everything(other)
    assert {"Completed"} <= {campaign.status for campaign in other.world.campaigns.values()}
    assert b"RIFF\xff" in [message.sound() for message in other.inbox if message.campaign_id == survey.id]
    assert 0 == other.world.owner.on_hold


def test_after_a_reset() -> None:
    """A sandbox whose state was loaded starts over with as much data as its options say, and the same credentials."""
    sandbox = Sandbox(campaigns=5)
    other = copy(sandbox)
    assert 5 == len(other.world.campaigns)
    other.change_password("other")
    other.reset()
    assert 1 == len(other.world.campaigns)
    assert (sandbox.email, "other", sandbox.api_token) == (other.email, other.password, other.api_token)
    first, again = (each.world.campaigns[min(each.world.campaigns)] for each in (sandbox, other))
    assert first.name == again.name  # From the same seed.


def test_a_clock_out_of_range() -> None:
    """A state whose clock is too far away from this machine's is loaded with a clock that can be shown."""
    state = json.loads(dump(Sandbox(campaigns=1)))
    for ahead in (1e300, -1e300):
        sandbox = Sandbox(campaigns=0)
        load(sandbox, json.dumps({**state, "ahead": ahead}).encode(), "state.json")
        assert sandbox.clock.iso()


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """Return the path of a state file, which no temporary file is left beside."""
    yield tmp_path / "state.json"
    assert {"state.json"} == {each.name for each in tmp_path.iterdir()}


def test_restart(path: Path) -> None:
    """After a restart in the middle of a run, tokens, campaigns, inbox and clock are as before, and the run goes on."""
    options = ["--campaigns", "2", "--numbers", "40", "--state", str(path)]
    with requests.Session() as http:
        with served(*options) as (process, before):
            url = before["TINGTING_BASE_URL"]
            login = {"email": before["TINGTING_EMAIL"], "password": before["TINGTING_PASSWORD"]}
            tokens = http.post(f"{url}/api/accounts/login/", json=login, timeout=20).json()["data"]["token"]
            http.headers["Authorization"] = f"Bearer {tokens['access']}"
            assert http.post(f"{url}/api/v1/auths/send/otp/", json=OTP, timeout=20).ok
            rows = http.get(f"{url}/api/v1/campaign/", timeout=20).json()["results"]
            id_ = rows[0]["id"]
            assert http.post(f"{url}/api/v1/run-campaign/{id_}/", timeout=20).ok
            process.send_signal(signal.SIGTERM)
            assert 0 == process.wait(timeout=20)
        assert 0o600 == stat.S_IMODE(path.stat().st_mode)
        saved = json.loads(path.read_bytes())
        assert [id_] == [run[0] for run in saved["runs"]]
        with served(*options, "--speed", "max") as (process, after):
            url = after.pop("TINGTING_BASE_URL")
            assert after == {name: value for name, value in before.items() if name in after}
            assert 1 == http.get(f"{url}/api/v1/auths/list/send-otps/", timeout=20).json()["count"]
            rows = []

            def is_completed() -> bool:
                rows[:] = [http.get(f"{url}/api/v1/campaign/{id_}/", timeout=20).json()]
                return bool(rows[0]["status"] == "Completed")

            wait_for(is_completed)
            process.send_signal(signal.SIGTERM)
            assert 0 == process.wait(timeout=20)
    sandbox = Sandbox(campaigns=0)
    load(sandbox, path.read_bytes(), str(path))
    campaign = sandbox.world.campaigns[id_]
    reached = sandbox.inbox.search(campaign_id=id_, limit=1000)
    assert sorted(contact.number for contact in campaign.contacts) == sorted(message.number for message in reached)
    assert ["9800000001"] == [each.number for each in sandbox.inbox if each.kind == "otp"]


def test_kill(tmp_path: Path) -> None:
    """What was done a while before the process was killed is in the file."""
    path = tmp_path / "state.json"
    with served("--campaigns", "1", "--state", str(path)) as (process, environment):
        url = environment["TINGTING_BASE_URL"]
        headers = {"Authorization": f"Bearer {environment['TINGTING_API_TOKEN']}"}
        assert requests.post(f"{url}/api/v1/auths/send/otp/", json=OTP, headers=headers, timeout=20).ok
        wait_for(lambda: b"9800000001" in path.read_bytes())
        process.kill()
    sandbox = Sandbox(campaigns=0)
    load(sandbox, path.read_bytes(), str(path))
    assert ["9800000001"] == [each.number for each in sandbox.inbox]
    assert 1 == len(sandbox.world.campaigns)


def test_a_failed_save(tmp_path: Path) -> None:
    """If the state cannot be saved, the command says why, once, serves on, and saves it when that is possible again."""
    path = tmp_path / "folder" / "state.json"
    path.parent.mkdir()
    with served("--campaigns", "1", "--state", str(path)) as (process, environment):
        path.unlink()
        path.parent.rmdir()
        url = environment["TINGTING_BASE_URL"]
        headers = {"Authorization": f"Bearer {environment['TINGTING_API_TOKEN']}"}
        assert requests.post(f"{url}/api/v1/auths/send/otp/", json=OTP, headers=headers, timeout=20).ok
        assert process.stderr is not None
        said = process.stderr.readline()
        assert said.startswith("The state could not be saved, and the sandbox tries again: ")
        assert str(path.parent) in said
        assert requests.get(f"{url}/control/v1/clock", timeout=20).ok
        path.parent.mkdir()
        wait_for(lambda: path.exists() and b"9800000001" in path.read_bytes())
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(timeout=20)


def test_a_last_save_that_fails(tmp_path: Path) -> None:
    """If the state cannot be saved at the end, the command says so and fails."""
    path = tmp_path / "folder" / "state.json"
    path.parent.mkdir()
    with served("--campaigns", "1", "--state", str(path)) as (process, _):
        path.unlink()
        path.parent.rmdir()
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        *_, said = process.stderr.read().splitlines()
        assert said.startswith("The state could not be saved: ")
        assert 1 == process.wait(timeout=20)


def damaged() -> Iterator[bytes]:
    """Yield contents that are not a state of this version."""
    content = dump(Sandbox(campaigns=1))
    yield from (b"", b"{}", b"[]", b"\xff", content[:-20], content.replace(b'"contacts"', b'"people"'))
    yield re.sub(rb'"version":1', b'"version":2', content)
    yield re.sub(rb'"columns":\["id"', b'"columns":["id2"', content)


def test_a_file_that_cannot_be_read() -> None:
    """A state that is damaged or newer is an error that says so, and the sandbox stays as it was."""
    sandbox = Sandbox(campaigns=3)
    before = everything(sandbox)
    said = []
    for content in damaged():
        with pytest.raises(
            ValueError, match=r"^The state file s\.json (is damaged|has version 2).* not changed"
        ) as caught:
            load(sandbox, content, "s.json")
        said.append(str(caught.value))
    assert 1 == sum("has version 2, and this sandbox reads version 1" in each for each in said)
    assert before == everything(sandbox)


@pytest.mark.parametrize("content", [b"nonsense", None])
def test_an_unusable_file(tmp_path: Path, content: bytes | None) -> None:
    """The command refuses a file that it cannot read or write in one line, and does not overwrite it."""
    path = tmp_path / ("state.json" if content else "nowhere/state.json")
    if content:
        path.write_bytes(content)
    done = subprocess.run([*COMMAND, "--state", str(path)], capture_output=True, text=True, timeout=50, check=False)
    assert 2 == done.returncode
    assert str(path.parent) in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert content == (path.read_bytes() if content else None)
