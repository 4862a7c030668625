"""The pytest plugin: its fixtures and its marker, what importing it costs, and how it is distributed."""

import asyncio
import importlib.util
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import requests
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

from tingting_async.sandbox import Fault, Sandbox

ROOT = Path(__file__).parents[2]
PROFILE = "/api/accounts/user_details/"


@pytest.fixture
def tingting_sandbox_options() -> dict[str, Any]:
    """Override the options of the plugin's sandbox."""
    return {"campaigns": 7}


def test_sync(tingting_sandbox: Sandbox) -> None:
    """The fixture serves code that does not use asyncio, with the options that a suite sets."""
    headers = {"Authorization": f"Bearer {tingting_sandbox.api_token}"}
    page = requests.get(f"{tingting_sandbox.url}/api/system/campaigns", headers=headers, timeout=20).json()
    assert page["pagination"]["total_items"] == 7


@pytest.mark.anyio
async def test_async(tingting_sandbox: Sandbox) -> None:
    """The fixture serves async tests, which can await and release its faults in their own event loop."""
    fault = tingting_sandbox.faults.add(Fault("stall", path=PROFILE))
    async with aiohttp.ClientSession(tingting_sandbox.url) as http:
        request = asyncio.ensure_future(http.get(PROFILE))
        await fault.stalled.wait()
        fault.release()
        async with await request as response:
            assert response.status == 401
    await tingting_sandbox.wait_idle()
    assert tingting_sandbox.in_flight == 0


def run_suite(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the tests in a folder with pytest. A warning, also of something that was not closed, is an error."""
    plugins = ["-p", "no:tingting_async", "-p", "tingting_async_pytest", "-p", "no:cacheprovider"]
    command = [sys.executable, "-P", "-m", "pytest", "-q", *plugins, "--strict-markers", "-W", "error"]
    return subprocess.run(
        [*command, "--rootdir", str(folder), *arguments, str(folder)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


@pytest.mark.skipif(importlib.util.find_spec("pytest_asyncio") is None, reason="pytest-asyncio is not installed")
@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_every_kind_of_test(tmp_path: Path, mode: str) -> None:
    """The fixtures serve sync tests, with any number of event loops, and tests of anyio and of pytest-asyncio."""
    shutil.copy(ROOT / "tests/support/plugin_suite.py", tmp_path / "test_suite.py")
    scope = "asyncio_default_fixture_loop_scope=function"
    done = run_suite(tmp_path, "--asyncio-mode", mode, "-o", scope)
    assert (0, "") == (done.returncode, done.stderr), done.stdout
    assert "12 passed" in done.stdout


def test_options_that_do_not_exist(tmp_path: Path) -> None:
    """An option of the marker that the sandbox does not have, or does not accept, is an error that says so."""
    expected = {
        "campains=5": "the sandbox has no option 'campains'. Did you mean 'campaigns'?",
        "x=5": "the sandbox has no option 'x'. There are: campaigns, numbers, seed",
        "5": "takes no positional arguments: write tingting_sandbox(campaigns=57)",
        "campaigns=-1": "campaigns=-1 is not valid: it must be at least 0",
    }
    tests = (
        f"@pytest.mark.tingting_sandbox({marker})\ndef test_{number}(tingting_sandbox): ...\n"
        for number, marker in enumerate(expected)
    )
    (tmp_path / "test_suite.py").write_text("import pytest\n" + "".join(tests), encoding="utf-8")
    done = run_suite(tmp_path, "-p", "no:asyncio")
    assert f"{len(expected)} errors" in done.stdout
    assert [] == [error for error in expected.values() if error not in done.stdout]


def test_import_is_free() -> None:
    """Importing the plugin imports pytest and nothing else: a run that does not use the fixtures pays nothing."""
    program = """
import sys, typing, pytest
before = {*sys.modules}
import tingting_async_pytest
print(sorted({*sys.modules} - before))
"""
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "['tingting_async_pytest']\n"


def test_wheel(tmp_path: Path) -> None:
    """The wheel contains the plugin beside the package, and an entry point by which pytest finds it."""
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(built) as wheel:
        top = {name.partition("/")[0] for name in wheel.namelist()}
        (entry_points,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
        assert top == {"tingting_async", "tingting_async_pytest.py", entry_points.partition("/")[0]}
        assert wheel.read(entry_points).decode() == "[pytest11]\ntingting_async = tingting_async_pytest\n"


def test_sdist(tmp_path: Path) -> None:
    """The source distribution contains the plugin, so that a wheel can be built from it."""
    (built,) = SdistBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with tarfile.open(built) as sdist:
        assert "tingting_async_pytest.py" in {name.partition("/")[2] for name in sdist.getnames()}
