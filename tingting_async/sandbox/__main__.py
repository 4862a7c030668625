"""`python -m tingting_async.sandbox`: print how to connect, and serve until interrupted."""

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
        with contextlib.suppress(NotImplementedError):  # Windows has no signal handlers; Ctrl-C works without one.
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with sandbox:
        print(
            f"# The sandbox serves {len(sandbox.world.campaigns):,} campaigns on {sandbox.url}; press Ctrl-C to stop."
        )
        print("# To connect:")
        print(f"export TINGTING_BASE_URL={sandbox.url}")
        print(f"export TINGTING_EMAIL={sandbox.email}")
        print(f"export TINGTING_PASSWORD={sandbox.password}")
        print(f"# or, instead of the last two: export TINGTING_API_TOKEN={sandbox.api_token}", flush=True)
        await stop.wait()


def main() -> None:
    """Parse the arguments and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m tingting_async.sandbox",
        description="A local simulation of the TingTing service. It never calls or texts anyone.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--port", type=int, default=0, help="the port to listen on; 0 picks a free one")
    parser.add_argument("--campaigns", type=int, default=1000, help="the number of campaigns at the start")
    parser.add_argument("--numbers", type=int, default=3, help="the number of phone numbers per campaign")
    parser.add_argument("--page-size", type=int, default=10, help="the number of rows per page")
    parser.add_argument(
        "--page-parameter",
        choices=get_args(PageParameter),
        default="page",
        help="the query parameter that selects a page",
    )
    parser.add_argument("--links", choices=get_args(LinkForm), default="none", help="the form of the links on a page")
    parser.add_argument("--seed", type=int, default=1, help="the seed; the same seed generates the same campaigns")
    arguments = parser.parse_args()
    if arguments.page_parameter == "links" and arguments.links == "none":
        arguments.links = "objects"
    try:
        asyncio.run(_serve(Sandbox(**vars(arguments), keep_requests=False)))
    except (ValueError, OSError) as error:  # An option is invalid, or the port is in use.
        parser.error(str(error))
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
