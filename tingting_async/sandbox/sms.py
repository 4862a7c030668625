"""The parts of an SMS, counted as GSM 03.38 and 3GPP 23.040 say."""

from typing import Literal

import attrs

Encoding = Literal["GSM-7", "UCS-2"]

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_ESCAPED = frozenset("\f^{}\\[~]|€")
"""Characters that follow an escape, and so take two units."""
_SIZES: dict[Encoding, tuple[int, int]] = {"GSM-7": (160, 153), "UCS-2": (70, 67)}
"""The units of a text that is sent alone, and of each part of a longer one."""


@attrs.frozen
class SmsParts:
    """How a text is sent as SMS.

    Attributes:
        count: The number of SMS that the network sends.
        encoding: `"GSM-7"`, or `"UCS-2"` if a character is not in that alphabet, such as every Devanagari letter.
        units: The length of the text in units of the encoding.
    """

    count: int
    encoding: Encoding
    units: int


def sms_parts(text: str) -> SmsParts:
    """Return how a text is sent as SMS."""
    is_gsm = _BASIC.issuperset(text) or (_BASIC | _ESCAPED).issuperset(text)
    encoding: Encoding = "GSM-7" if is_gsm else "UCS-2"
    sizes = [2 if (letter in _ESCAPED if is_gsm else letter > "\uffff") else 1 for letter in text]
    single, size = _SIZES[encoding]
    units = sum(sizes)
    if units <= single:
        return SmsParts(1 if text else 0, encoding, units)
    count, used = 1, 0
    for each in sizes:  # A character of two units is not divided between two parts.
        if used + each > size:
            count, used = count + 1, 0
        used += each
    return SmsParts(count, encoding, units)
