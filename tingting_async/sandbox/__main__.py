"""`python -m tingting_async.sandbox`: serve until interrupted, and print how to connect."""

import argparse
import asyncio
import contextlib
import signal
from typing import get_args

from tingting_async.sandbox import Sandbox
from tingting_async.sandbox.options import LinkForm, PageParameter


async def _serve(sandbox: Sandbox) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Not on Windows, where Ctrl-C interrupts by itself.
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with sandbox:
        print(f"# The sandbox serves {len(sandbox.world.campaigns):,} campaigns on {sandbox.url}; Ctrl-C ends it.")
        print("# To connect:")
        print(f"export TINGTING_BASE_URL={sandbox.url}")
        print(f"export TINGTING_EMAIL={sandbox.email}")
        print(f"export TINGTING_PASSWORD={sandbox.password}")
        print(f"# or, instead of the last two: export TINGTING_API_TOKEN={sandbox.api_token}", flush=True)
        await stop.wait()


def main() -> None:
    """Read the arguments, and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m tingting_async.sandbox",
        description="A stand-in for the TingTing service, on this machine. It rings nobody.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="where to listen")
    parser.add_argument("--port", type=int, default=0, help="the port; 0 for a free one")
    parser.add_argument("--campaigns", type=int, default=1000, help="how many there are from the start")
    parser.add_argument("--numbers", type=int, default=3, help="how many numbers each has")
    parser.add_argument("--page-size", type=int, default=10, help="rows on a page")
    parser.add_argument(
        "--page-parameter", choices=get_args(PageParameter), default="page", help="what asks for a page"
    )
    parser.add_argument("--links", choices=get_args(LinkForm), default="none", help="what a page's links hold")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same campaigns")
    arguments = parser.parse_args()
    if arguments.page_parameter == "links" and arguments.links == "none":
        arguments.links = "objects"
    try:
        asyncio.run(_serve(Sandbox(**vars(arguments), keep_requests=False)))
    except (ValueError, OSError) as error:  # What was asked for is none, or the port is taken.
        parser.error(str(error))
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
