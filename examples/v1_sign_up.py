"""The v1 API: a sign-up that proves a telephone number by a one-time password, on the sandbox."""

import secrets

import anyio

from tingting_async import OutcomeUnknownError
from tingting_async.sandbox import Sandbox
from tingting_async.v1 import OtpChannel, TingTing


async def send_code(tingting: TingTing, number: str) -> str:
    """Send a code of our own, so that it can be found if nobody says whether it went out."""
    code = f"{secrets.randbelow(10**6):06d}"
    try:
        await tingting.otp.send(number, "Your code is {otp}", channel=OtpChannel.TEXT, otp=code, company_name="Example")
    except OutcomeUnknownError:
        if code not in [sent.otp for sent in await tingting.otp.list().collect(limit=20)]:
            raise  # It may still be on its way: the person decides whether to ask for another.
    return code


async def main() -> None:
    """Sign one person up."""
    async with (
        Sandbox() as sandbox,
        TingTing(base_url=sandbox.url, email=sandbox.email, password=sandbox.password) as tingting,
    ):
        code = await send_code(tingting, "9800000001")
        typed = sandbox.world.otps[-1].otp  # What the person reads on the telephone, and types.
        print("Welcome!" if secrets.compare_digest(code, typed) else "Wrong code.")


if __name__ == "__main__":
    anyio.run(main)
