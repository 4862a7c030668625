"""The demo: sign in to a classic account, print its owner, and list every campaign. `make demo` runs it.

Reads TINGTING_EMAIL and TINGTING_PASSWORD, or TINGTING_API_TOKEN. Reads TINGTING_BASE_URL if you do not use the real
service. If none of them is set, it starts its own sandbox with 1,000 campaigns. It needs `rich`: the extra `demo`.
"""

import os
import sys
import time

import anyio

from tingting_async import TingTing, TingTingError

try:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
except ImportError as error:
    sys.exit(
        f"`rich` cannot be imported ({error}). Install it: `pip install 'tingting-async[demo]'`, or "
        "`pip install '.[demo]'` in a clone of the repository."
    )

console = Console()


async def list_every_campaign(tingting: TingTing) -> None:
    """Print the owner of the account, and each campaign as soon as its page arrives."""
    user = await tingting.accounts.user_details()
    console.print(f"Signed in on {tingting.base_url} as {user.first_name} {user.last_name} <{user.email}>")

    started = time.monotonic()
    campaigns = pages = 0
    columns = (TextColumn("Campaigns"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("Campaigns", total=None)
        async for page in tingting.campaigns.list().pages():
            pages += 1
            for campaign in page.items:
                campaigns += 1
                progress.console.print(
                    f"{campaign.id:>8}  {campaign.services:<11}  {campaign.name}", markup=False, highlight=False
                )
            progress.update(task, completed=campaigns, total=page.total_items)
    seconds = time.monotonic() - started
    console.print(
        f"{campaigns:,} campaigns on {pages:,} pages, {tingting.requests_sent:,} requests, {seconds:.2f} seconds"
    )


async def main() -> None:
    """Use the account in the environment variables, or the account of a sandbox."""
    if any(os.environ.get(f"TINGTING_{name}") for name in ("API_TOKEN", "EMAIL", "PASSWORD", "BASE_URL")):
        async with TingTing.from_env() as tingting:
            await list_every_campaign(tingting)
        return

    from tingting_async.sandbox import Sandbox  # noqa: PLC0415 - only needed without an account

    console.print("No TINGTING_* variables are set. Starting the sandbox, which stands in for the service.")
    async with (
        Sandbox(campaigns=1000) as sandbox,
        TingTing(base_url=sandbox.url, email=sandbox.email, password=sandbox.password) as tingting,
    ):
        await list_every_campaign(tingting)


if __name__ == "__main__":
    try:
        anyio.run(main)
    except TingTingError as error:
        sys.exit(f"{type(error).__name__}: {error}")
