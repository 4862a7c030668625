"""A month of outcomes as a DataFrame: it reads TINGTING_EMAIL, TINGTING_PASSWORD, TINGTING_BASE_URL; needs pandas."""

from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pandas as pd  # pyright: ignore[reportMissingTypeStubs]

from tingting_async import as_record
from tingting_async.v1 import TingTing


async def main() -> None:
    """Print a line for each campaign of the last thirty days."""
    since = datetime.now(UTC) - timedelta(days=30)
    async with TingTing.from_env() as tingting:
        rows = tingting.campaigns.results(since=since)
        frame: Any = pd.DataFrame([as_record(row) | {"reached": row.was_reached} async for row in rows])
    frame["credits"] = frame[["contact.credit_consumed", "contact.credit_consumed_sms"]].sum(axis=1)
    print(frame.groupby("campaign.id").agg({"reached": ["count", "mean"], "credits": "sum"}))


anyio.run(main)
