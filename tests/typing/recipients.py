"""Type-checked, never run: phone numbers and texts."""

from typing import assert_type

from tingting_async import (
    InvalidNumberError,
    NepaliNumber,
    NumberKind,
    NumberProblem,
    SmsEncoding,
    SmsParts,
    TingTing,
    is_legacy_font,
    parse_number,
    sms_parts,
    speakable,
)
from tingting_async.v1 import TingTing as V1TingTing


async def numbers(classic: TingTing, v1: V1TingTing) -> None:
    number = parse_number(9841234567.0, mobile_only=True, allow_unknown_prefix=True, allow_padded=True, name="B7")
    assert_type(number, NepaliNumber)
    assert_type((number.national, number.e164, number.kind), tuple[str, str, NumberKind])
    try:
        await classic.otp.send(number, "{otp}", channel="text")
        await classic.numbers.add(1, number)
        await classic.numbers.edit(1, number)
        await v1.contacts.add(1, number)
        await v1.contacts.edit(1, number)
        await v1.otp.send(number, "{otp}", channel="text")
    except InvalidNumberError as error:
        assert_type(error.problem, NumberProblem)


def texts() -> None:
    parts = sms_parts("text")
    assert_type(parts, SmsParts)
    assert_type((parts.count, parts.encoding, parts.units), tuple[int, SmsEncoding, int])
    assert_type(parts.parts, tuple[str, ...])
    assert_type(parts + parts, int)
    assert_type((is_legacy_font("text"), speakable("text")), tuple[bool, str])
