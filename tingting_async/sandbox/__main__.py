"""`python -m tingting_async.sandbox`: print how to connect, and serve until interrupted."""

import argparse
import asyncio
import contextlib
import math
import signal
import sys
import time
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast, get_args, get_origin, get_type_hints

import attrs

from tingting_async.sandbox import Sandbox
from tingting_async.sandbox.options import Options, choices, is_optional, meanings
from tingting_async.sandbox.state import dump, load, write

_OWN_DEFAULTS = {"campaigns": 1000, "keep_requests": False}
"""Settings whose default in a terminal differs from that in code."""


async def _serve(sandbox: Sandbox, *, state: Path | None, opens: bool) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows has no signal handlers; Ctrl-C works without one.
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with sandbox:
        # The client refuses plain HTTP to any address but this machine's own.
        url = sandbox.url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
        count = len(sandbox.world.campaigns)
        print(f"# The sandbox serves {count:,} campaign{'s' * (count != 1)} on {sandbox.url}; Ctrl-C stops it.")
        print(f"# To watch it, open {url} in a browser. To connect:")
        print(f"export TINGTING_BASE_URL={url}")
        print(f"export TINGTING_EMAIL={sandbox.email}")
        print(f"export TINGTING_PASSWORD={sandbox.password}")
        print(f"# or, instead of the last two: export TINGTING_API_TOKEN={sandbox.api_token}", flush=True)
        if opens:
            await asyncio.to_thread(webbrowser.open, url)  # It may wait for the browser, which needs the sandbox.
        if state is None:
            await stop.wait()
        else:
            await _save_until(stop, sandbox, state)
    if state is not None:
        try:
            write(state, dump(sandbox))
        except OSError as error:
            sys.exit(f"The state could not be saved: {error}")


async def _save_until(stop: asyncio.Event, sandbox: Sandbox, path: Path) -> None:
    """Save the state after changes, until the event is set: every second, or less often if it is large."""
    saved, pause, reason = -1, 1.0, ""
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await stop.wait()
        start = time.perf_counter()
        if saved != sandbox.version or sandbox.clock.speed not in (1, math.inf):
            saved = sandbox.version
            try:
                content = dump(sandbox)
                pause = max(1.0, 20 * (time.perf_counter() - start))
                await asyncio.to_thread(write, path, content)
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the sandbox
                saved = -1
                if str(error) != reason:
                    print(
                        f"The state could not be saved, and the sandbox tries again: {error}",
                        file=sys.stderr,
                        flush=True,
                    )
                reason = str(error)
            else:
                reason = ""


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line: one argument for every setting of the sandbox."""
    parser = argparse.ArgumentParser(
        prog="python -m tingting_async.sandbox",
        usage="%(prog)s [--host HOST] [--port PORT] [settings]",
        description="A local simulation of the TingTing service. It never calls or texts anyone.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="The address to listen on.")
    parser.add_argument("--port", type=int, default=0, help="The port to listen on; 0 picks a free one.")
    parser.add_argument(
        "--allowed-host",
        dest="allowed_hosts",
        action="append",
        default=[],
        metavar="NAME",
        help="A further host name under which the page and the control interface may be reached, such as the name of a "
        "service of Docker Compose. Repeat the option for several names.",
    )
    parser.add_argument("--open", action="store_true", help="Open the sandbox's page in the browser.")
    parser.add_argument(
        "--state",
        type=Path,
        metavar="FILE",
        help="Keep the state in this file across restarts. Its data takes precedence over --campaigns, --numbers and "
        "--seed. The file is written about a second after a change, and at the end.",
    )
    kinds, texts = get_type_hints(Options), meanings()
    for field in attrs.fields(Options):
        default = _OWN_DEFAULTS.get(field.name, field.default)
        help_text = texts.get(field.name, "").replace("%", "%%")
        parser.add_argument(
            f"--{field.name.replace('_', '-')}", default=default, help=help_text, **_argument(kinds[field.name])
        )
    return parser


def _argument(kind: Any) -> dict[str, Any]:
    """Return how argparse reads a setting of this type. "none" stands for None."""
    if kind is bool:
        return {"action": argparse.BooleanOptionalAction}
    if values := choices(kind):
        named: dict[str, Any] = {"none" if value is None else str(value): value for value in values}

        def choose(text: str) -> Any:
            return named.get(text, text)

        return {"type": choose, "choices": values, "metavar": f"{{{','.join(named)}}}"}
    if kind is float:
        return {"type": _read_number, "metavar": "NUMBER"}
    one = next(part for part in (*get_args(kind), kind) if part is not type(None)) if is_optional(kind) else kind
    if get_origin(one) is tuple:
        return {"nargs": "*", "metavar": "METHOD"}

    def read(text: str) -> Any:
        return None if is_optional(kind) and text == "none" else one(text)

    read.__name__ = one.__name__  # argparse names it in its error.
    return {"type": read, "metavar": one.__name__.upper()}


def _read_number(text: str) -> float:
    """Return a number; "max" is infinity, as in `--speed max`."""
    return math.inf if text == "max" else float(text)


_read_number.__name__ = "number"  # argparse names it in its error.


def read_arguments(parser: argparse.ArgumentParser, given: Sequence[str] | None = None) -> dict[str, Any]:
    """Return the arguments of `Sandbox` for a command line; by default, for the one of this process."""
    arguments = vars(parser.parse_args(given))
    for name, value in arguments.items():
        if isinstance(value, list):
            arguments[name] = None if value == ["none"] else tuple(cast("list[str]", value))
    if arguments["page_parameter"] == "links" and arguments["links"] == "none":
        arguments["links"] = "objects"
    return arguments


def main() -> None:
    """Parse the arguments and serve."""
    parser = make_parser()
    try:
        arguments = read_arguments(parser)
        state, opens = arguments.pop("state"), arguments.pop("open")
        sandbox = Sandbox(**arguments)
        if state is not None and state.exists():
            load(sandbox, state.read_bytes(), str(state))
        if state is not None:
            write(state, dump(sandbox))  # An error in this comes early.
        asyncio.run(_serve(sandbox, state=state, opens=opens))
    except (ValueError, OSError, OverflowError) as error:  # An option is invalid, or the port is in use.
        parser.error(str(error))
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
