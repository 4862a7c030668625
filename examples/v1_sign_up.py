"""The v1 API: a sign-up that verifies a phone number with a one-time password, one per attempt, on the sandbox."""

import secrets
import tempfile
from pathlib import Path

import anyio

from tingting_async import SqliteLedger, ensure_sent
from tingting_async.sandbox import Sandbox
from tingting_async.v1 import OtpChannel, TingTing

codes: dict[str, str] = {}
"""The code of each attempt. Stands for a database table."""


def begin_attempt() -> str:
    """Begin an attempt to sign up. The page keeps its id in the form, so that loading it twice is the same attempt."""
    attempt = secrets.token_urlsafe(12)
    codes[attempt] = f"{secrets.randbelow(10**6):06d}"  # Stored before it is sent: a second run sends the same code.
    return attempt


async def send_code(tingting: TingTing, number: str, attempt: str) -> None:
    """Send the code of an attempt once. The ledger stops a second run or another process from sending it again."""
    await ensure_sent(
        lambda: tingting.otp.send(
            number,
            "Your code is {otp}",
            channel=OtpChannel.TEXT,
            otp=codes[attempt],
            company_name="Example",
            idempotency_key=attempt,  # Not the number: the person could get one code only, ever.
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
            attempt = begin_attempt()
            await send_code(tingting, "9800000001", attempt)
            await send_code(tingting, "9800000001", attempt)  # The page was loaded twice. This sends nothing.
            attempt = begin_attempt()  # The person asked for another code.
            await send_code(tingting, "9800000001", attempt)
            _, sent = sandbox.world.otps
            typed = sent.otp  # What the person reads on the phone and types in.
            print("Welcome!" if secrets.compare_digest(codes[attempt], typed) else "Wrong code.")


if __name__ == "__main__":
    anyio.run(main)
