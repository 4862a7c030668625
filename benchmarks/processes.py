"""The processes of a benchmark: servers on one core, clients on the other, and glibc's malloc pinned in each."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

HERE = Path(__file__).parent
# The heap's layout alone decides whether asyncio's receive buffer costs page faults on every page.
PINNED = {
    "MALLOC_TOP_PAD_": str(64 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "PYTHONHASHSEED": "0",
}


def start(
    core: int, script: str, *arguments: object, environment: Mapping[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    """Start a script, with byte code as installed packages have; on its own core if there are several."""
    variables = {**os.environ, **PINNED, **(environment or {})}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    process = subprocess.Popen(
        [sys.executable, str(HERE / script), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=variables,
    )
    if hasattr(os, "sched_setaffinity") and len(cores := sorted(os.sched_getaffinity(0))) > 1:
        os.sched_setaffinity(process.pid, {cores[core]})
    return process


def client(script: str, *arguments: object, environment: Mapping[str, str] | None = None) -> Any:
    """Run a script on the clients' core, and return the JSON that it prints."""
    with start(0, script, *arguments, environment=environment) as process:
        printed, _ = process.communicate()
    if process.returncode:
        sys.exit(f"{script} {' '.join(map(str, arguments))} failed.")
    return json.loads(printed)


@contextmanager
def service(script: str = "server.py", *arguments: object) -> Iterator[int]:
    """Start a server on the other core, and yield its port."""
    with start(1, script, *arguments) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()  # The server ends at end of file.


@contextmanager
def distant_service(round_trip: float) -> Iterator[tuple[str, str]]:
    """Start a server with TLS behind a link; yield its address, and a file of the authorities to trust.

    The file also has the authorities of certifi, because to load them is a part of what opening a connection costs.
    """
    import certifi  # noqa: PLC0415 - most sections need none of this
    import trustme  # noqa: PLC0415

    authority = trustme.CA()
    with TemporaryDirectory() as folder:
        own, trusted = Path(folder, "own.pem"), Path(folder, "authorities.pem")
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(own))
        trusted.write_bytes(Path(certifi.where()).read_bytes() + b"\n" + authority.cert_pem.bytes())
        with service("server.py", own, round_trip) as port:
            yield f"https://127.0.0.1:{port}", str(trusted)


def show_progress(what: str) -> None:
    """Show what is measured now, if someone looks."""
    if sys.stderr.isatty():
        print(f"\r\033[K{what}", end="", file=sys.stderr, flush=True)
