"""Read 50,000 rows, 3 % of them with a problem of each kind, from a file of each format.

Each format is read in a process of its own. Printed are the time, the memory above that of an idle process that has
imported the library and the reader, and the longest time for which the event loop was blocked.
"""

import argparse
import asyncio
import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

ROOT = Path(__file__).parent.parent
FORMATS = ("csv", "xlsx", "xls", "ods")
MAX_SECONDS, MAX_MIB = 2.0, 40.0


def memory(name: str) -> float:
    """Return a figure of this process's memory, in MiB."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition(f"{name}:")[2].split()[0]) / 1024


async def read(path: Path) -> dict[str, float]:
    """Read a file, and return what it cost."""
    import python_calamine  # noqa: F401, PLC0415

    from tingting_async import RecipientList  # noqa: PLC0415

    small = path.with_name("small.csv")
    await RecipientList.read(small, mobile_only=True)  # Imports what is imported late.
    idle, gaps = memory("VmRSS"), [0.0]
    with open("/proc/self/clear_refs", "w", encoding="utf-8") as file:  # noqa: ASYNC230, PTH123 - no disk
        file.write("5")  # Sets the peak to what is used now.

    async def beat() -> None:
        last = perf_counter()
        while True:
            await asyncio.sleep(0.001)
            gaps[0], last = max(gaps[0], perf_counter() - last), perf_counter()

    beating = asyncio.create_task(beat())
    start = perf_counter()
    people = await RecipientList.read(path, mobile_only=True)
    seconds = perf_counter() - start
    beating.cancel()
    return {"seconds": seconds, "mib": memory("VmHWM") - idle, "gap_ms": gaps[0] * 1000, "ready": len(people)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--check", action="store_true", help="fail if a limit is exceeded")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read is not None:
        print(json.dumps(asyncio.run(read(options.read))))
        return
    sys.path.append(str(ROOT / "tests"))
    from support.people import people  # noqa: PLC0415
    from support.sheets import write_sheet  # noqa: PLC0415

    failed = False
    with TemporaryDirectory() as folder:
        write_sheet(Path(folder, "small.csv"), people(200)[0])
        rows, _, right = people(options.rows)
        for suffix in FORMATS:
            path = write_sheet(Path(folder, f"people.{suffix}"), rows)
            command = [sys.executable, __file__, "--read", str(path)]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            assert len(right) == found["ready"]
            print(
                f".{suffix}: {found['seconds']:.2f} s (limit {MAX_SECONDS}), {found['mib']:.0f} MiB above idle (limit "
                f"{MAX_MIB:.0f}), event loop blocked for at most {found['gap_ms']:.0f} ms"
            )
            failed = failed or found["seconds"] > MAX_SECONDS or found["mib"] > MAX_MIB
    if options.check and failed:
        sys.exit("A limit is exceeded.")


if __name__ == "__main__":
    main()
