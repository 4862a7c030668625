"""Type-checked, never run: slips that type checkers report, as the library does. An unused comment here is an error."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from tingting_async import TingTing
from tingting_async.v1 import TingTing as V1TingTing


async def sessions(tingting: TingTing, v1: V1TingTing) -> None:
    with tingting:  # type: ignore[attr-defined]
        pass
    _ = tingting.contacts  # type: ignore[attr-defined]
    _ = v1.numbers  # type: ignore[attr-defined]


async def options(tingting: TingTing, v1: V1TingTing) -> None:
    tingting.campaigns.list(windw=2)  # type: ignore[call-arg]
    await tingting.campaigns.get("1")  # type: ignore[arg-type]
    await tingting.otp.send("9800000001", "{otp}")  # type: ignore[call-arg]
    await v1.campaigns.update(1, titel="a")  # type: ignore[call-arg]
