"""Test suites in other languages drive the sandbox as its documentation says, and so does the image."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tingting_async.sandbox import Sandbox
from tingting_async.sandbox.__main__ import make_parser, read_arguments

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/sandbox-control.md").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "tingting_async/sandbox/Dockerfile").read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_javascript(tmp_path: Path) -> None:
    """The suite in plain JavaScript passes against a sandbox, and fails if the program does not send."""
    found = re.search(r"<!-- suite.mjs -->\n```javascript\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    suite = tmp_path / "suite.mjs"
    with Sandbox(campaigns=1).in_thread() as sandbox:
        for program, expected in ((found[1], 0), (found[1].replace("/send/otp/", "/sent/otp/"), 1)):
            suite.write_text(program, encoding="utf-8")
            environment = {"TINGTING_BASE_URL": sandbox.url, "PATH": str(Path(shutil.which("node") or "").parent)}
            done = subprocess.run(
                ["node", "--test", str(suite)],
                env=environment,
                capture_output=True,
                text=True,
                timeout=50,
                check=False,
            )
            assert expected == done.returncode, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_shell() -> None:
    """Every `curl` command of the page does what it says."""
    commands = re.findall(r"^\$ (curl .*)$", PAGE, re.MULTILINE)
    assert len(commands) == 3
    with Sandbox(campaigns=0).in_thread() as sandbox:
        before = sandbox.clock.now()
        for command in commands:
            words = shlex.split(command.replace("http://localhost:8000", sandbox.url))
            done = subprocess.run([*words, "-sS"], capture_output=True, text=True, timeout=20, check=True)
            assert "error" not in json.loads(done.stdout), done.stdout
        assert sandbox.clock.now() >= before + 3600
        assert ["reset_after", "status"] == [fault.kind for fault in sandbox.faults]


def test_options_of_the_examples() -> None:
    """The options that the page and the image give to the command exist."""
    entry = re.search(r"^ENTRYPOINT (.*)$", DOCKERFILE, re.MULTILINE)
    compose = re.search(r"^    command: (\[.*\])$", PAGE, re.MULTILINE)
    image = re.search(r"^\$ docker run .* tingting-sandbox (.*)$", PAGE, re.MULTILINE)
    assert entry is not None
    assert compose is not None
    assert image is not None
    command, own = json.loads(entry[1])[:3], json.loads(entry[1])[3:]
    assert ["python", "-m", "tingting_async.sandbox"] == command
    for added in (json.loads(compose[1]), shlex.split(image[1])):
        arguments = read_arguments(make_parser(), [*own, *added])
        assert ("0.0.0.0", 8000, 50) == tuple(arguments[name] for name in ("host", "port", "campaigns"))


def test_files_of_the_image() -> None:
    """The image copies all files that the package is built from, and no other."""
    copied = {name for line in re.findall(r"^COPY (.*) /src", DOCKERFILE, re.MULTILINE) for name in line.split()}
    assert {"pyproject.toml", "README.md", "LICENSE", "tingting_async", "tingting_async_pytest.py"} == copied
    assert [] == [name for name in copied if not (ROOT / name).exists()]


def test_health_check_of_the_image() -> None:
    """The image's health check succeeds if the sandbox serves, and fails otherwise."""
    found = re.search(r"CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert found is not None
    _, *check = json.loads(found[1])
    with Sandbox(campaigns=0).in_thread() as sandbox:
        words = [word.replace("http://127.0.0.1:8000", sandbox.url) for word in check]
        assert 0 == subprocess.run([sys.executable, *words], capture_output=True, timeout=20, check=False).returncode
    assert 1 == subprocess.run([sys.executable, *words], capture_output=True, timeout=20, check=False).returncode


def test_every_path_is_documented() -> None:
    """The page describes every resource of the index, and the index links every resource."""
    with Sandbox(campaigns=0).in_thread() as sandbox:
        links = requests.get(f"{sandbox.url}/control/v1/", timeout=20).json()["links"]
    documented = set(re.findall(r"^\| `GET (\w+)", PAGE, re.MULTILINE))
    assert set(links) == documented
