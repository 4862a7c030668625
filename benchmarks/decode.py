"""Decoding alone: the bytes of ten rows to ten objects, by each contender in turn. Prints microseconds as JSON."""

import enum
import json
import statistics
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs
import cattrs
import msgspec
import orjson
import pydantic
import server

from tingting_async import Campaign, Number
from tingting_async.classic.convert import READER
from tingting_async.wire import Effect, Request, Response


class Services(enum.StrEnum):
    PHONE = "PHONE"
    SMS = "SMS"
    SMS_AND_PHONE = "SMS & PHONE"


class Status(enum.StrEnum):
    COMPLETED = "completed"
    ANSWERED = "answered"
    UNANSWERED = "unanswered"


# The same fields for everyone; durations stay texts for the others, as only ours reads the service's "10s".
CAMPAIGN: dict[str, Any] = {
    "id": int,
    "name": str,
    "user_phone": list[Any],
    "services": Services,
    "description": str | None,
    "usable_tags": list[str],
}
NUMBER: dict[str, Any] = {
    "id": int,
    "number": str,
    "campaing": str,
    "available_tags": dict[str, Any],
    "status": Status,
    "duration": str,
    "playback": Decimal | None,
    "credit_consumed": Decimal | None,
}
REQUEST: Request[Any] = Request("GET", "/", Effect.READS, "decode", list)
RESPONSE = Response(200)


def contenders(fields: dict[str, Any], ours: Any) -> dict[str, Callable[[bytes], Any]]:
    plain = attrs.make_class("Plain", {name: attrs.field(type=kind) for name, kind in fields.items()}, frozen=True)
    struct = msgspec.defstruct("Struct", list(fields.items()))
    model = pydantic.create_model("Model", **{name: (kind, ...) for name, kind in fields.items()})
    detailed, stock = cattrs.Converter(), cattrs.Converter(detailed_validation=False)
    for converter in (detailed, stock):  # Without these two cattrs reads neither page.
        converter.register_structure_hook(Decimal, lambda value, _: Decimal(value))
        converter.register_structure_hook(Decimal | None, lambda value, _: None if value is None else Decimal(value))
    to_models = pydantic.TypeAdapter(list[model]).validate_json
    to_structs, to_attrs = msgspec.json.Decoder(list[struct]), msgspec.json.Decoder(list[plain])
    return {
        "orjson, dictionaries": orjson.loads,
        "json, dictionaries": json.loads,
        "tingting_async": lambda body: READER.read(REQUEST, RESPONSE, orjson.loads(body), list[ours], ()),
        "orjson + cattrs as it comes": lambda body: detailed.structure(orjson.loads(body), list[plain]),
        "orjson + cattrs, not detailed": lambda body: stock.structure(orjson.loads(body), list[plain]),
        "pydantic": to_models,
        "msgspec, Struct": to_structs.decode,
        "msgspec, attrs": to_attrs.decode,
    }


def rows(body: bytes) -> bytes:
    return orjson.dumps(next(value for value in orjson.loads(body)["result"].values() if isinstance(value, list)))


def measure(fields: dict[str, Any], ours: Any, body: bytes, rounds: int) -> dict[str, float]:
    decoders = contenders(fields, ours)
    times: dict[str, list[float]] = {name: [] for name in decoders}
    for number in range(rounds + 1):
        for name, decode in decoders.items():
            start = time.process_time()
            for _ in range(100):
                decode(body)
            if number:  # The first round makes what is made on first use.
                times[name].append((time.process_time() - start) * 10_000)
    return {name: statistics.median(taken) for name, taken in times.items()}


if __name__ == "__main__":
    rounds = int(sys.argv[1])
    campaigns, numbers = rows(server.campaign_page(7)), rows(server.number_page(7))
    print(
        json.dumps(
            {
                "campaigns": {"bytes": len(campaigns), "us": measure(CAMPAIGN, Campaign, campaigns, rounds)},
                "numbers": {"bytes": len(numbers), "us": measure(NUMBER, Number, numbers, rounds)},
            }
        )
    )
