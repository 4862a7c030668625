"""What the buttons of the page do."""

import math
from collections.abc import Callable, Mapping

from tingting_async.sandbox.faults import Fault
from tingting_async.sandbox.service import Service

_REFUSAL = {"detail": "The sandbox refused this request, because somebody pressed a button on its page."}

Fields = Mapping[str, str]


def _number(fields: Fields, name: str) -> float:
    try:
        return float(fields[name])
    except ValueError:
        raise ValueError(f"{name}={fields[name]!r} is not a number.") from None


def _advance(service: Service, fields: Fields) -> None:
    service.clock.advance(_number(fields, "seconds"))


def _set_speed(service: Service, fields: Fields) -> None:
    service.clock.speed = math.inf if fields["speed"] == "max" else _number(fields, "speed")


def _lose_next_response(service: Service, fields: Fields) -> None:
    service.faults.add(Fault("reset_after", times=1))


def _refuse_next_request(service: Service, fields: Fields) -> None:
    # A status that clients do not retry, so that the program sees the refusal.
    service.faults.add(Fault("status", status=400, body=_REFUSAL, times=1))


def _expire_tokens(service: Service, fields: Fields) -> None:
    service.expire_access_tokens()


def _revoke_refresh_tokens(service: Service, fields: Fields) -> None:
    service.revoke_refresh_tokens()


def _remove_fault(service: Service, fields: Fields) -> None:
    id_ = _number(fields, "id")
    for fault in [each for each in service.faults if each.id == id_]:
        service.faults.remove(fault)


def _start_over(service: Service, fields: Fields) -> None:
    service.reset()


ACTIONS: Mapping[str, Callable[[Service, Fields], None]] = {
    "advance": _advance,
    "speed": _set_speed,
    "lose-next-response": _lose_next_response,
    "refuse-next-request": _refuse_next_request,
    "expire-tokens": _expire_tokens,
    "revoke-refresh-tokens": _revoke_refresh_tokens,
    "remove-fault": _remove_fault,
    "start-over": _start_over,
}
"""By the last part of the path that a form posts to."""
