"""The examples run against a sandbox, as their readers would run them."""

import csv
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from tingting_async.sandbox import Sandbox

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name: str, sandbox: Sandbox | None) -> str:
    """Run an example in its own process, and return what it prints."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TINGTING_")}
    if sandbox is not None:
        environment |= {"TINGTING_BASE_URL": sandbox.url, "TINGTING_EMAIL": sandbox.email}
        environment |= {"TINGTING_PASSWORD": sandbox.password}
    command = [sys.executable, "-P", str(EXAMPLES / name)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_first_lines(path: Path) -> None:
    """The first lines of an example name the variables that it reads, or say that it is on the sandbox."""
    text = path.read_text(encoding="utf-8")
    said, _, program = text.removeprefix('"""').partition('"""')
    if "from_env" in program:
        assert {"TINGTING_EMAIL", "TINGTING_PASSWORD", "TINGTING_BASE_URL"} <= set(re.findall("[A-Z_]{4,}", said))
    else:
        assert "on the sandbox" in said
    assert ("PORT" in program) <= ("PORT" in said)
    assert ("import rich" in program or "from rich" in program) <= ("`demo`" in said)


def first_example(folder: Path) -> str:
    """Write the README's first example to a file, and return its path."""
    readme = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    script = folder / "first.py"
    script.write_text(readme.partition("```python\n")[2].partition("```")[0], encoding="utf-8")
    return str(script)


def test_first_example(tmp_path: Path) -> None:
    """The README's first example lists every campaign, and runs one of its own."""
    with Sandbox(campaigns=57).in_thread() as sandbox:
        lines = run(first_example(tmp_path), sandbox).splitlines()
        assert len(lines) == 59
        assert lines[-1].endswith(" is running")
        assert [effect.kind for effect in sandbox.side_effects][:3] == ["created", "contact", "run"]


def test_first_example_by_its_commands(tmp_path: Path) -> None:
    """The README's first example runs against the sandbox of the README's command, with the variables it prints."""
    readme = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    (options,) = re.findall(r"^\$ python -m tingting_async\.sandbox (.*)$", readme, re.MULTILINE)
    options = options.replace("--port 8000", "--port 0")  # Another program may use that port.
    command = [sys.executable, "-P", "-m", "tingting_async.sandbox", *options.split()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        printed = [process.stdout.readline() for _ in range(6)]
        exports = dict(line.split()[1].split("=", 1) for line in printed if line.startswith("export "))
        assert len(exports) == 3
        environment = {key: value for key, value in os.environ.items() if not key.startswith("TINGTING_")} | exports
        listing = [sys.executable, "-P", first_example(tmp_path)]
        done = subprocess.run(listing, env=environment, capture_output=True, text=True, timeout=50, check=False)
        process.send_signal(signal.SIGTERM)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1002


def test_main_job() -> None:
    """The main job without an account lists the thousand campaigns of its own sandbox, and counts its requests."""
    lines = run("main_job.py", None).splitlines()
    assert any("Signed in" in line and "sita@example.com" in line for line in lines)
    assert lines[-1].startswith("1,000 campaigns on 100 pages, 102 requests, ")


def test_main_job_of_an_account() -> None:
    """The main job lists the campaigns of the account in the environment."""
    with Sandbox(campaigns=57).in_thread() as sandbox:
        lines = run("main_job.py", sandbox).splitlines()
    assert lines[-1].startswith("57 campaigns on 6 pages, ")


def test_main_job_without_credentials() -> None:
    """With incomplete credentials in the environment, an error says what is missing, and no sandbox starts."""
    environment = {**os.environ, "TINGTING_EMAIL": "sita@example.com", "TINGTING_PASSWORD": ""}
    command = [sys.executable, "-P", str(EXAMPLES / "main_job.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 1
    assert "UsageError" in done.stderr
    assert "TINGTING_PASSWORD" in done.stderr


def test_list_campaigns() -> None:
    """Every campaign is listed."""
    with Sandbox(campaigns=57).in_thread() as sandbox:
        assert len(run("list_campaigns.py", sandbox).splitlines()) == 58


def test_run_campaign() -> None:
    """A campaign is created, run and followed, and no full number is shown."""
    printed = run("run_campaign.py", None)
    assert "3 credits are on hold" in printed
    assert "…01" in printed
    assert "9800000001" not in printed


def test_v1_campaign() -> None:
    """A campaign of the v1 API goes from its creation to its report."""
    printed = run("v1_campaign.py", None)
    assert "2 contacts added, 0 skipped" in printed
    assert "Completed: 100 %" in printed
    assert "…02" in printed
    assert "9800000002" not in printed


def test_v1_sms_campaign() -> None:
    """Twenty-five people each get their own text, and the report is saved as a file."""
    printed = run("v1_sms_campaign.py", None)
    assert "25 contacts added" in printed
    assert "Completed: 25 of 25 texted" in printed
    assert "The report has " in printed


def test_v1_docs(tmp_path: Path) -> None:
    """The campaign of docs/v1.md runs as it stands, and texts two people."""
    shown = (EXAMPLES.parent / "docs" / "v1.md").read_text(encoding="utf-8")
    script = tmp_path / "campaign.py"
    script.write_text(shown.partition("```python\n")[2].partition("```")[0], encoding="utf-8")
    with Sandbox(campaigns=0).in_thread() as sandbox:
        printed = run(str(script), sandbox)
        assert "Bills: Completed" in printed
        assert "9800000001" not in printed
        assert sum(effect.kind == "sms" for effect in sandbox.side_effects) == 2


@pytest.mark.parametrize(("snippet", "passed"), [(0, 1), (1, 3), (2, 100)])
def test_sandbox_docs(tmp_path: Path, snippet: int, passed: int) -> None:
    """Each test that docs/sandbox.md shows passes as it stands."""
    blocks = (EXAMPLES.parent / "docs" / "sandbox.md").read_text(encoding="utf-8").split("```python\n")[1:]
    shown = [block for block in blocks if "import pytest" in block.partition("```")[0]]  # `test_docs.py` runs others.
    assert len(shown) == 3
    script = tmp_path / "test_shown.py"
    script.write_text(shown[snippet].partition("```")[0], encoding="utf-8")
    # Name the plugin's module, because a source tree that is not installed has no entry point.
    plugins = ["-p", "no:tingting_async", "-p", "tingting_async_pytest", "-p", "no:cacheprovider"]
    command = [sys.executable, "-P", "-m", "pytest", "-q", *plugins, "--rootdir", str(tmp_path), str(script)]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TINGTING_")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{passed} passed" in done.stdout


def test_fleet_job() -> None:
    """A job that runs twice texts each of its two people once. `tests/fleet` runs it in fleets."""
    printed = run("fleet_job.py", None)
    assert printed == "bills.report.csv has 2 rows\n" * 2 + "2 people were texted\n"


def test_spreadsheet_to_outcomes() -> None:
    """Two of three people are texted, and the file of outcomes has a line for each of them."""
    *printed, count, folder = run("spreadsheet_to_outcomes.py", None).splitlines()
    with (Path(folder) / "outcomes.csv").open(encoding="utf-8-sig", newline="") as file:
        outcomes = [(row["row"], row["outcome"]) for row in csv.DictReader(file)]
    shutil.rmtree(folder)
    assert "2 of 3 rows were reached." in printed
    assert ("3", ("5", "left out")) == (count, outcomes[2])


def test_v1_sign_up() -> None:
    """A sign-up sends one code for each attempt, even for a page that is loaded twice, and the last one is valid."""
    assert run("v1_sign_up.py", None) == "Welcome!\n"


def test_month_of_results() -> None:
    """A month of outcomes becomes a DataFrame, whose columns have the types that its computations need."""
    with Sandbox(campaigns=3, numbers=12).in_thread() as sandbox:
        first = next(iter(sandbox.world.campaigns.values()))
        for contact in first.contacts[:9]:
            contact.status, contact.credit_consumed = "completed", 2
        lines = run("month_of_results.py", sandbox).splitlines()
    assert [f"{first.id}", "12", "0.75", "18.0"] == next(
        line.split() for line in lines if line.startswith(f"{first.id}")
    )
    assert 3 == sum(line[:1].isdigit() for line in lines)


def test_v1_survey() -> None:
    """A survey is run, and its answers are printed."""
    assert run("v1_survey.py", None).startswith("Completed; answers:\n")


def test_concurrent_jobs() -> None:
    """Ten jobs see the same campaigns on one session, with one sign-in and six pages each."""
    with Sandbox(campaigns=57).in_thread() as sandbox:
        lines = run("concurrent_jobs.py", sandbox).splitlines()
        assert sum(received.path == "/api/accounts/login/" for received in sandbox.requests) == 1
    assert len({line.partition(": ")[2] for line in lines[:10]}) == 1
    assert lines[10] == "61 requests"


def test_worker_pool() -> None:
    """Three processes see the same campaigns, with one sign-in."""
    with Sandbox(campaigns=57).in_thread() as sandbox:
        assert run("worker_pool.py", sandbox) == "".join(f"Worker {worker}: 57 campaigns\n" for worker in (1, 2, 3))
        assert sum(received.path == "/api/accounts/login/" for received in sandbox.requests) == 1


@pytest.mark.anyio
async def test_web_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """The web service lists campaigns, runs one, and reports an unknown outcome as such."""
    make_app: Any = runpy.run_path(str(EXAMPLES / "web_service.py"))["make_app"]
    async with Sandbox(campaigns=57) as sandbox:
        monkeypatch.setenv("TINGTING_BASE_URL", sandbox.url)
        monkeypatch.setenv("TINGTING_API_TOKEN", sandbox.api_token)
        async with TestServer(make_app()) as server, aiohttp.ClientSession(server.make_url("/")) as http:
            async with http.get("/campaigns?limit=30") as response:
                campaigns = await response.json()
            assert len(campaigns) == 30
            async with http.post(f"/campaigns/{campaigns[0]['id']}/run", json={"message": "hi"}) as response:
                assert await response.json() == {"started": True, "credits_on_hold": 3}
            for limit in ("many", "9" * 5000):
                async with http.get(f"/campaigns?limit={limit}") as response:
                    assert response.status == 400
            async with http.post(f"/campaigns/{'9' * 5000}/run", json={"message": "hi"}) as response:
                assert response.status == 404
            async with http.post("/campaigns/999999/run", json={"message": "hi"}) as response:
                assert response.status == 404
            for body in (b"", b"[]", b'"hi"', b"{}", b"[" * 100_000):
                async with http.post("/campaigns/1/run", data=body) as response:
                    assert response.status == 400


def test_sandbox_command() -> None:
    """The sandbox's command prints how to connect, serves, and ends cleanly on request."""
    command = [sys.executable, "-P", "-m", "tingting_async.sandbox", "--campaigns", "12"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        environment = dict(os.environ)
        for _ in range(5):
            line = process.stdout.readline()
            if line.startswith("export "):
                name, _, value = line.removeprefix("export ").strip().partition("=")
                environment[name] = value
        listing = [sys.executable, "-P", str(EXAMPLES / "list_campaigns.py")]
        done = subprocess.run(listing, env=environment, capture_output=True, text=True, timeout=50, check=True)
        assert len(done.stdout.splitlines()) == 13
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
