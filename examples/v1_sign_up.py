"""The v1 API: a sign-up that verifies a phone number with a one-time password, sent once, on the sandbox."""

import secrets
import tempfile
from pathlib import Path

import anyio

from tingting_async import SqliteLedger, ensure_sent
from tingting_async.sandbox import Sandbox
from tingting_async.v1 import OtpChannel, TingTing

codes: dict[str, str] = {}
"""Stands for a database table. Store a code before you send it, so that a second run uses the same code."""


async def send_code(tingting: TingTing, number: str) -> None:
    """Send a person's code once. The ledger stops a second run or another process from sending it again."""
    code = codes.setdefault(number, f"{secrets.randbelow(10**6):06d}")
    await ensure_sent(
        lambda: tingting.otp.send(
            number,
            "Your code is {otp}",
            channel=OtpChannel.TEXT,
            otp=code,
            company_name="Example",
            idempotency_key=number,
        )
    )


async def main() -> None:
    """Sign up one person."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = SqliteLedger(Path(folder) / "sends.sqlite")
        async with (
            Sandbox() as sandbox,
            TingTing(base_url=sandbox.url, email=sandbox.email, password=sandbox.password, ledger=ledger) as tingting,
        ):
            await send_code(tingting, "9800000001")
            await send_code(tingting, "9800000001")  # The page was loaded twice. This sends nothing.
            (sent,) = sandbox.world.otps
            typed = sent.otp  # What the person reads on the phone and types in.
            print("Welcome!" if secrets.compare_digest(codes["9800000001"], typed) else "Wrong code.")


if __name__ == "__main__":
    anyio.run(main)
