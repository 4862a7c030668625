"""Measure decoding alone: each contender decodes the bytes of ten rows. Print microseconds as JSON."""

import enum
import json
import statistics
import sys
import time
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs
import cattrs
import msgspec
import orjson
import pydantic
import server

from tingting_async import classic, v1
from tingting_async.classic.pages import RESPONSES as CLASSIC
from tingting_async.decoding.decoder import Decoder, ResponseFormat
from tingting_async.http.messages import Effect, Request, Response
from tingting_async.v1.pages import RESPONSES as V1


class Services(enum.StrEnum):
    PHONE = "PHONE"
    SMS = "SMS"
    SMS_AND_PHONE = "SMS & PHONE"


class Status(enum.StrEnum):
    COMPLETED = "completed"
    ANSWERED = "answered"
    UNANSWERED = "unanswered"


# Every contender decodes the same fields. Durations stay strings for the others: only tingting_async decodes "10s".
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


class V1Status(enum.StrEnum):
    COMPLETED = "Completed"
    NOT_STARTED = "Not Started"
    RUNNING = "Running"
    SCHEDULED = "Scheduled"


class Category(enum.StrEnum):
    TEXT = "Text"


VOICE: dict[str, Any] = {"id": int, "voice_display_name": str, "voice_internal_name": str, "is_premium": bool}
V1_CAMPAIGN: dict[str, Any] = {
    "id": int,
    "name": str,
    "services": Services,
    "status": V1Status,
    "sms_message": str,
    "message": str,
    "description": str,
    "schedule": datetime | None,
    "audio_file": str | None,
    "bulk_file": str | None,
    "category": Category,
    "user_phone": list[int],
    "campaign_action_count": int,
    "progress_percent": Decimal,
    "updated_at": datetime,
    "credit_limit": Decimal | None,
    "voice": VOICE,
    "draft": bool,
    "failover_target": list[Status],
    "length_factor": Decimal,
}
V1_CONTACT: dict[str, Any] = {
    "id": int,
    "number": str,
    "status": Status,
    "updated_at": datetime,
    "call_duration": str,
    "playback": str,  # A number or an empty string, which only tingting_async decodes.
    "credit_consumed": Decimal,
    "credit_consumed_SMS": Decimal,
    "carrier": str,
}


def make_class(make: Callable[[str, dict[str, Any]], Any], name: str, fields: dict[str, Any]) -> Any:
    """Make a class with these fields; a nested dictionary becomes a class, too."""
    return make(
        name,
        {
            field: make_class(make, f"{name}_{field}", kind) if isinstance(kind, dict) else kind
            for field, kind in fields.items()
        },
    )


def plain_class(name: str, fields: dict[str, Any]) -> Any:
    return attrs.make_class(name, {field: attrs.field(type=kind) for field, kind in fields.items()}, frozen=True)


def contenders(fields: dict[str, Any], responses: ResponseFormat, model: Any) -> dict[str, Callable[[bytes], Any]]:
    plain = make_class(plain_class, "Plain", fields)
    struct = make_class(lambda name, kinds: msgspec.defstruct(name, list(kinds.items())), "Struct", fields)
    pydantic_model = make_class(
        lambda name, kinds: pydantic.create_model(name, **{field: (kind, ...) for field, kind in kinds.items()}),
        "Model",
        fields,
    )
    detailed, stock = cattrs.Converter(), cattrs.Converter(detailed_validation=False)
    for converter in (detailed, stock):  # Without these hooks, cattrs decodes none of the pages.
        converter.register_structure_hook(datetime, lambda value, _: datetime.fromisoformat(value))
        converter.register_structure_hook(
            datetime | None, lambda value, _: None if value is None else datetime.fromisoformat(value)
        )
        converter.register_structure_hook(Decimal, lambda value, _: Decimal(value))
        converter.register_structure_hook(Decimal | None, lambda value, _: None if value is None else Decimal(value))
    decoder = Decoder(responses)
    request: Request[Any] = Request("GET", "/", Effect.READ, "decode", list[model])

    def decode(body: bytes) -> list[Any]:
        return decoder.decode_rows(request, Response(200, body=body))[0]

    to_models = pydantic.TypeAdapter(list[pydantic_model]).validate_json
    to_structs, to_attrs = msgspec.json.Decoder(list[struct]), msgspec.json.Decoder(list[plain])
    return {
        "orjson, dictionaries": orjson.loads,
        "json, dictionaries": json.loads,
        "tingting_async": decode,
        "orjson + cattrs, default settings": lambda body: detailed.structure(orjson.loads(body), list[plain]),
        "orjson + cattrs, not detailed": lambda body: stock.structure(orjson.loads(body), list[plain]),
        "pydantic": to_models,
        "msgspec, Struct": to_structs.decode,
        "msgspec, attrs": to_attrs.decode,
    }


def rows(body: bytes) -> bytes:
    page = orjson.loads(body)
    return orjson.dumps(next(value for value in page.get("result", page).values() if isinstance(value, list)))


def measure(
    fields: dict[str, Any], responses: ResponseFormat, model: Any, body: bytes, rounds: int
) -> dict[str, float]:
    decoders = contenders(fields, responses, model)
    times: dict[str, list[float]] = {name: [] for name in decoders}
    for number in range(rounds + 1):
        for name, decode in decoders.items():
            start = time.process_time()
            for _ in range(100):
                decode(body)
            if number:  # The first round also compiles the decoders.
                times[name].append((time.process_time() - start) * 10_000)
    return {name: statistics.median(each) for name, each in times.items()}


# By name: the page, the fields for the other contenders, and the response format and the model of tingting_async.
PAGES: dict[str, tuple[Callable[[int], bytes], dict[str, Any], ResponseFormat, Any]] = {
    "v1 campaigns": (server.v1_campaign_page, V1_CAMPAIGN, V1, v1.Campaign),
    "v1 contacts": (server.v1_contact_page, V1_CONTACT, V1, v1.Contact),
    "classic campaigns": (server.campaign_page, CAMPAIGN, CLASSIC, classic.Campaign),
    "classic numbers": (server.number_page, NUMBER, CLASSIC, classic.Number),
}

if __name__ == "__main__":
    rounds = int(sys.argv[1])
    results: dict[str, dict[str, Any]] = {}
    for name, (page, fields, responses, model) in PAGES.items():
        body = rows(page(7))
        results[name] = {"bytes": len(body), "us": measure(fields, responses, model, body, rounds)}
    print(json.dumps(results))
