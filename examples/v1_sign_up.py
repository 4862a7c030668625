"""The v1 API: a sign-up that proves a telephone number by a one-time password, sent once, on the sandbox."""

import secrets
import tempfile
from pathlib import Path

import anyio

from tingting_async import DuplicateSendError, OutcomeUnknownError, Verdict
from tingting_async import SqliteLedger
from tingting_async.sandbox import Sandbox
from tingting_async.v1 import OtpChannel, TingTing

codes: dict[str, str] = {}
"""Stands for a table of yours: a code is kept before it is sent, so that a second run sends and compares the same."""


async def send_code(tingting: TingTing, number: str) -> None:
    """Send a person's code, once: with the ledger a second run, or another process, sends none."""
    code = codes.setdefault(number, f"{secrets.randbelow(10**6):06d}")
    try:
        await tingting.otp.send(
            number,
            "Your code is {otp}",
            channel=OtpChannel.TEXT,
            otp=code,
            company_name="Example",
            idempotency_key=number,
        )
    except (DuplicateSendError, OutcomeUnknownError) as error:
        if (await error.reconcile()).verdict is not Verdict.DONE:
            raise  # It may still be on its way: the person decides whether to ask for another.


async def main() -> None:
    """Sign one person up."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = SqliteLedger(Path(folder) / "sends.sqlite")
        async with (
            Sandbox() as sandbox,
            TingTing(base_url=sandbox.url, email=sandbox.email, password=sandbox.password, ledger=ledger) as tingting,
        ):
            await send_code(tingting, "9800000001")
            await send_code(tingting, "9800000001")  # The page was loaded twice: nothing is sent.
            (sent,) = sandbox.world.otps
            typed = sent.otp  # What the person reads on the telephone, and types.
            print("Welcome!" if secrets.compare_digest(codes["9800000001"], typed) else "Wrong code.")


if __name__ == "__main__":
    anyio.run(main)
