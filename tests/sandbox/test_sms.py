"""How the sandbox counts the parts of an SMS."""

import pytest

from tingting_async.sandbox import SmsParts
from tingting_async.sandbox.sms import sms_parts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", SmsParts(0, "GSM-7", 0)),
        ("a" * 160, SmsParts(1, "GSM-7", 160)),
        ("a" * 161, SmsParts(2, "GSM-7", 161)),
        ("a" * 306, SmsParts(2, "GSM-7", 306)),
        ("a" * 307, SmsParts(3, "GSM-7", 307)),
        ("€" * 80, SmsParts(1, "GSM-7", 160)),
        ("€" * 153, SmsParts(3, "GSM-7", 306)),  # 76 of them in a part, as none is divided.
        ("न" * 70, SmsParts(1, "UCS-2", 70)),
        ("न" * 71, SmsParts(2, "UCS-2", 71)),
        ("a" * 69 + "न", SmsParts(1, "UCS-2", 70)),
        ("😀" * 35, SmsParts(1, "UCS-2", 70)),
        ("😀" * 67, SmsParts(3, "UCS-2", 134)),  # 33 of them in a part.
        ("`", SmsParts(1, "UCS-2", 1)),
    ],
)
def test_parts(text: str, expected: SmsParts) -> None:
    """The parts are those of GSM 03.38: 160 or 70 units in one, 153 or 67 in each of several, no character divided."""
    assert expected == sms_parts(text)
