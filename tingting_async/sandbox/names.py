"""Generated names, places and messages. The same seed generates the same ones."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

_FIRST = "सीता राम गीता हरि अञ्जली विवेक सुनिता प्रकाश मञ्जु दीपक कविता सुरेश निर्मला रमेश आशा कृष्ण पार्वती गोपाल".split()
_LAST = "श्रेष्ठ तामाङ गुरुङ शर्मा अधिकारी पौडेल महर्जन राई लामा थापा कार्की भण्डारी घिमिरे बस्नेत".split()
_PLACES = "काठमाडौं पोखरा ललितपुर भक्तपुर विराटनगर वीरगञ्ज धरान बुटवल जनकपुर हेटौंडा नेपालगञ्ज इटहरी".split()
_OCCASIONS = (
    "दशैंको शुभकामना",
    "तिहारको छुट",
    "खोप अभियान",
    "विद्यालय भर्ना",
    "बिजुली महसुल सम्झना",
    "रक्तदान शिविर",
    "आईपीओ खुल्यो",
    "ऋण किस्ता सम्झना",
)
CARRIERS = {
    "984": "NTC",
    "985": "NTC",
    "986": "NTC",
    "974": "NTC",
    "980": "Ncell",
    "981": "Ncell",
    "982": "Ncell",
    "961": "Smart",
}


def person(random: Random) -> str:
    """Return a person's name."""
    return f"{random.choice(_FIRST)} {random.choice(_LAST)}"


def place(random: Random) -> str:
    """Return a city."""
    return random.choice(_PLACES)


def occasion(random: Random) -> str:
    """Return the name of a campaign."""
    return f"{random.choice(_OCCASIONS)}, {place(random)}"


def message(random: Random, tags: Sequence[str]) -> str:
    """Return a message with a placeholder for the first of a campaign's tags."""
    placeholder = "".join(f" {{{tag}}}" for tag in tags[:1])
    return f"नमस्ते{placeholder}! {occasion(random)}। थप जानकारीका लागि हामीलाई सम्पर्क गर्नुहोस्।"


def mobile(random: Random) -> str:
    """Return a mobile number."""
    return random.choice(tuple(CARRIERS)) + f"{random.randrange(10**7):07d}"


VOICES: tuple[dict[str, Any], ...] = (
    {"id": 1, "voice_display_name": "Rija", "voice_internal_name": "np_rija", "is_premium": False},
    {"id": 2, "voice_display_name": "Rija premium", "voice_internal_name": "np_rija", "is_premium": True},
    {"id": 3, "voice_display_name": "Prashanna", "voice_internal_name": "np_prashanna", "is_premium": False},
    {"id": 4, "voice_display_name": "Binod", "voice_internal_name": "np_binod", "is_premium": False},
    {"id": 5, "voice_display_name": "Shreegya", "voice_internal_name": "np_shreegya", "is_premium": False},
)
"""The voices of sample v1_voice_models.json. Two of them share an internal name."""

TAGS: dict[str, Callable[[Random], str]] = {
    "tags_name": person,
    "tags_age": lambda random: str(random.randint(18, 90)),
    "tags_city": place,
    "tags_amount": lambda random: str(random.randrange(100, 10_000, 50)),
}
"""The tags that messages can use, each with the generator of its values."""
