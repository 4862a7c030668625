"""`reconcile()` never says "not done" of a request that was carried out, in whatever form the service shows it."""

import json
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from email.utils import formatdate
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest
from support.servers import Received, serving

from tingting_async import OutcomeUnknownError, RetryPolicy, SqliteLedger, TingTing as Classic, Verdict
from tingting_async.v1 import TingTing

pytestmark = pytest.mark.anyio

Row = dict[str, Any]
Form = Callable[[Any], Any]

NUMBER, CODE, SID = "9841234567", "012345", "PN00af"
NAME = "Rappel d\u2019\u00e9t\u00e9 & \u0915\u0947 \U0001f389  for the whole of \u2461026"
MISSING = object()
KATHMANDU = timezone(timedelta(hours=5, minutes=45))

OTHER_DIGITS = str.maketrans("0123456789", "\u0966\u0967\u0968\u0969\u096a\u096b\u096c\u096d\u096e\u096f")
NUMBERS: dict[str, Form] = {
    "masked": lambda number: f"{number[:2]}******{number[-2:]}",
    "masked start": lambda number: f"xxxxxx{number[-4:]}",
    "masked end": lambda number: f"+977 {number[:4]}\u2026",
    "masked with separators": lambda number: f"{number[:3]}-...-{number[-3:]}",
    "masked with dashes": lambda number: f"{number[:4]}--{number[-4:]}",
    "masked with dots": lambda number: f"+977-{number[:3]}...{number[-4:]}",
    "one digit masked": lambda number: f"977{number[:4]}-{number[5:]}",
    "masked wholly": lambda number: "*" * len(number),
    "last digits": lambda number: number[-4:],
    "cut": lambda number: number[:9],
    "encoded": lambda number: "9f86d081884c7d65",
    "scientific": lambda number: "9.84123E+09",
    "with another": lambda number: f"9800000099, {number}",
    "null": lambda _: None,
    "empty": lambda _: "",
    "missing": lambda _: MISSING,
}
"""Forms that may be another number, too."""
SPELLINGS: dict[str, Form] = {
    "international": lambda number: f"+977-{number}",
    "spaced": lambda number: f"{number[:3]} {number[3:6]} {number[6:]}",
    "number": int,
    "float": lambda number: f"{number}.0",
    "other digits": lambda number: number.translate(OTHER_DIGITS),
}
"""Forms that are this number."""
CODES: dict[str, Form] = {
    "null": lambda _: None,
    "masked": lambda code: f"****{code[-2:]}",
    "number": int,
    "empty": lambda _: "",
    "missing": lambda _: MISSING,
    "last digits": lambda code: code[-2:],
    "padded": lambda code: f"00{code}",
    "spaced": lambda code: f"{code[:3]} {code[3:]}",
    "encoded": lambda _: "b3daa77b",
    "other digits": lambda code: code.translate(OTHER_DIGITS),
}
TIMES: dict[str, Form] = {
    "naive UTC": lambda when: when.astimezone(UTC).replace(tzinfo=None).isoformat(),
    "naive UTC of another form": lambda when: when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
    "local as UTC": lambda when: when.astimezone(KATHMANDU).replace(tzinfo=UTC).isoformat(),
    "date": lambda when: when.astimezone(UTC).date().isoformat(),
    "null": lambda _: None,
    "missing": lambda _: MISSING,
    "not a time": lambda _: "just now",
    "zero": lambda _: "0001-01-01T00:00:00Z",
    "epoch": lambda _: "1970-01-01T00:00:00Z",
}
NAMES: dict[str, Form] = {
    "compatible": lambda name: unicodedata.normalize("NFKC", name),
    "lower": str.lower,
    "escaped": lambda name: name.replace("&", "&amp;").replace("\u2019", "&#x27;"),
    "cut": lambda name: name[:32],
    "without accents": lambda name: unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode(),
    "question marks": lambda name: name.encode("ascii", "replace").decode(),
    "replacement characters": lambda name: name.encode().decode("ascii", "replace"),
}
TRIMMED: dict[str, Form] = {
    "decomposed": lambda name: unicodedata.normalize("NFD", name),
    "trimmed": lambda name: " ".join(name.split()),
    "composed": lambda name: f" {unicodedata.normalize('NFC', name)} ",
}
SIDS: dict[str, Form] = {
    "lower": str.lower,
    "masked": lambda sid: f"{sid[:2]}**{sid[-1:]}",
    "padded": lambda sid: f" {sid}\n",
    "empty": lambda _: "",
}


@attrs.define
class Operation:
    """An operation, and the list that shows what it has done."""

    call: Callable[[Any], Any]
    list: Callable[[Any], Any]
    row: Row
    """What the list shows, without its `id` and times."""
    inner: tuple[str, ...]
    """Where the rows of a page are."""
    kind: Any = TingTing
    forms: dict[str, dict[str, Form]] = attrs.field(factory=dict[str, dict[str, Form]])
    """The forms of each field, by their names."""


OPERATIONS = {
    "otp.send": Operation(
        lambda tingting: tingting.otp.send(NUMBER, "{otp}", channel="text", otp=CODE),
        lambda tingting: tingting.otp.list(),
        {"phone_number": NUMBER, "otp": CODE, "created_at": None},
        ("results", "data"),
        forms={"phone_number": NUMBERS | SPELLINGS, "otp": CODES, "created_at": TIMES},
    ),
    "contacts.add": Operation(
        lambda tingting: tingting.contacts.add(1, NUMBER),
        lambda tingting: tingting.contacts.list(1),
        {"number": NUMBER, "created_at": None},
        ("results",),
        forms={"number": NUMBERS | SPELLINGS, "created_at": TIMES},
    ),
    "campaigns.create": Operation(
        lambda tingting: tingting.campaigns.create(NAME, "PHONE"),
        lambda tingting: tingting.campaigns.list(),
        {"name": NAME, "services": "PHONE", "status": "Not Started", "updated_at": None},
        ("results",),
        forms={"name": NAMES | TRIMMED, "updated_at": TIMES},
    ),
    "classic campaigns.create": Operation(
        lambda classic: classic.campaigns.create(NAME, "PHONE", numbers=[NUMBER]),
        lambda classic: classic.campaigns.list(),
        {"name": NAME, "services": "PHONE"},
        ("result", "campaign-lists"),
        Classic,
        forms={"name": NAMES | TRIMMED},
    ),
    "classic numbers.add": Operation(
        lambda classic: classic.numbers.add(1, NUMBER),
        lambda classic: classic.numbers.list(1),
        {"number": NUMBER, "available_tags": {}},
        ("data", "number-lists"),
        Classic,
        forms={"number": NUMBERS | SPELLINGS},
    ),
    "classic phone_numbers.buy": Operation(
        lambda classic: classic.phone_numbers.buy(SID),
        lambda classic: classic.phone_numbers.owned(),
        {"phone_number": "014412345", "phone_number_sid": SID},
        ("data", "owned_numbers"),
        Classic,
        forms={"phone_number_sid": SIDS},
    ),
}


@attrs.define
class Service:
    """A service that carries out an operation, loses the response, and lists it in some form among other rows."""

    operation: Operation
    forms: dict[str, Form] = attrs.field(factory=dict[str, Form])
    happens: bool = True
    others: int = 0
    order: Random | None = None
    """The order of the rows, anew for each request; None for the newest first."""
    rows: list[Row] = attrs.field(factory=list[Row])

    def make_row(self, id: int, when: datetime, **fields: Any) -> Row:
        """Return a row of the list."""
        times = {name: when.isoformat() for name, value in self.operation.row.items() if value is None}
        return {"id": id, **self.operation.row, **times, **fields}

    def fill(self) -> None:
        """Add the rows of other requests, which were made two hours ago."""
        values = {"phone_number": "9800000{:03}", "number": "9800000{:03}", "otp": "9{:03}", "name": "Other {}"}
        for nth in range(self.others):
            fields = {name: text.format(nth) for name, text in values.items() if name in self.operation.row}
            if "phone_number_sid" in self.operation.row:
                fields["phone_number_sid"] = f"PN{nth}zz"
            self.rows.append(self.make_row(nth, datetime.now(UTC) - timedelta(hours=2), **fields))

    def show(self, row: Row) -> Row:
        """Return a row as the list shows it: that of the operation in another form."""
        if row["id"] != 1000:
            return row
        when = datetime.now(UTC)
        forms = {
            name: form(when if self.operation.row[name] is None else row[name]) for name, form in self.forms.items()
        }
        return {name: value for name, value in {**row, **forms}.items() if value is not MISSING}

    async def respond(self, received: Received) -> None:
        """Carry out the operation and cut the connection, or respond with a page."""
        if received.method == "POST":
            if self.happens:
                self.rows.insert(0, self.make_row(1000, datetime.now(UTC)))
            received.reset()
            return
        query = {name: values[0] for name, values in parse_qs(urlsplit(received.target).query).items()}
        rows = [] if "draft" in query else [self.show(row) for row in self.rows]
        if "search" in query:
            rows = [row for row in rows if query["search"].casefold() in (row["name"] or "").casefold()]
        if self.order is not None:
            self.order.shuffle(rows)
        limit, number = int(query.get("limit", "10")), int(query.get("page", "1"))
        start = int(query.get("offset", (number - 1) * limit))
        body: Row = {"success": True, "status": 200}
        if self.operation.kind is TingTing:
            following = f"http://x/?limit={limit}&offset={start + limit}" if start + limit < len(rows) else None
            body = {"count": len(rows), "next": following, "previous": None}
        else:
            pages = max(1, -(-len(rows) // limit))
            body["pagination"] = {
                "total_items": len(rows),
                "total_pages": pages,
                "page_number": number,
                "has_next": number < pages,
                "has_previous": number > 1,
                "links": [],
            }
        place = body
        for name in self.operation.inner[:-1]:
            place = place.setdefault(name, {})
        place[self.operation.inner[-1]] = rows[start : start + limit]
        await received.respond(json.dumps(body).encode(), Date=formatdate(usegmt=True))

    async def reconcile(self, ledger: SqliteLedger | None = None) -> Verdict:
        """Return the verdict about the operation."""
        self.fill()
        async with serving(self.respond) as server:
            options: Any = {"api_token": "0123456789abcdef", "retries": RetryPolicy(initial_backoff=0)}
            async with self.operation.kind(base_url=server.url, ledger=ledger, **options) as tingting:
                await self.operation.list(tingting).first()  # Tells the service's time.
                with pytest.raises(OutcomeUnknownError) as caught:
                    await self.operation.call(tingting)
                return (await caught.value.reconcile(wait=0)).verdict


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("happens", [True, False])
@pytest.mark.parametrize("others", [0, 31])
async def test_row_as_it_was_sent(name: str, *, happens: bool, others: int) -> None:
    """A row that shows what was sent is done, and a list of other rows is not done."""
    done = Verdict.UNKNOWN if name == "classic campaigns.create" else Verdict.DONE
    service = Service(OPERATIONS[name], happens=happens, others=others)
    assert (done if happens else Verdict.NOT_DONE) is await service.reconcile()


@pytest.mark.parametrize(
    ("name", "field", "form"),
    [
        (name, field, form)
        for name, operation in OPERATIONS.items()
        for field, forms in operation.forms.items()
        for form in forms
    ],
)
async def test_each_form(name: str, field: str, form: str) -> None:
    """A row that may show what was sent in another form is unknown; in another spelling, it is done."""
    operation = OPERATIONS[name]
    is_spelling = form in SPELLINGS.keys() | TRIMMED.keys() and field != "otp" and name != "classic campaigns.create"
    service = Service(operation, {field: operation.forms[field][form]}, others=3)
    assert (Verdict.DONE if is_spelling else Verdict.UNKNOWN) is await service.reconcile()


@pytest.mark.parametrize("name", OPERATIONS)
async def test_order_that_changes(name: str) -> None:
    """A row that a list of changing order shows on one request and not on the next is never not done."""
    verdicts = [await Service(OPERATIONS[name], others=31, order=Random(seed)).reconcile() for seed in range(10)]
    assert Verdict.NOT_DONE not in verdicts


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("seed", range(4))
async def test_forms_at_random(name: str, seed: int) -> None:
    """With any forms, other rows and order of a list, a request that was carried out is never judged as not done."""
    operation, world = OPERATIONS[name], Random(f"{name} {seed}")
    for _ in range(12):
        chosen = {
            field: world.choice([*forms.items()]) for field, forms in operation.forms.items() if world.random() < 0.7
        }
        service = Service(
            operation,
            {field: form for field, (_, form) in chosen.items()},
            others=world.choice([0, 3, 11, 25]),
            order=Random(world.random()) if world.random() < 0.3 else None,
        )
        assert Verdict.NOT_DONE is not await service.reconcile(), {field: name for field, (name, _) in chosen.items()}


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("otp.send", {"otp": "112345"}),
        ("otp.send", {"otp": "0123456"}),
        ("otp.send", {"otp": None, "phone_number": "9841234568"}),
        ("otp.send", {"phone_number": "98******68"}),
        ("otp.send", {"phone_number": "41234567"}),
        ("otp.send", {"otp": None, "created_at": "2020-01-01"}),
        ("otp.send", {"created_at": (datetime.now(UTC) - timedelta(hours=48)).isoformat()}),
        ("contacts.add", {"number": "+977 (98) ******68"}),
        ("contacts.add", {"number": "98******67", "created_at": "2020-01-01"}),
        ("campaigns.create", {"name": "Rappel?"}),
        ("campaigns.create", {"name": "Rappel d\u2019\u00e9t\u00e9"}),
        ("campaigns.create", {"name": "\u0301\u0323" * 100_000}),
        ("campaigns.create", {"updated_at": "2020-01-01"}),
        ("classic campaigns.create", {"name": "Other"}),
        ("classic numbers.add", {"number": 9841234568}),
        ("classic phone_numbers.buy", {"phone_number_sid": "PN00ae"}),
    ],
)
async def test_another_row(name: str, other: Row) -> None:
    """A row that cannot be what was sent, or is much older, does not make the verdict unknown."""
    service = Service(OPERATIONS[name], happens=False)
    service.rows.append(service.make_row(1, datetime.now(UTC), **other))
    assert Verdict.NOT_DONE is await service.reconcile()


@pytest.mark.parametrize("form", ["null", "masked", "number"])
async def test_ledger_keeps_the_key(tmp_path: Path, form: str) -> None:
    """A key whose code the service shows in another form stays claimed, so that no second code is sent."""
    ledger = SqliteLedger(tmp_path / "sends.sqlite")

    async def send(tingting: Any) -> Any:
        return await tingting.otp.send(NUMBER, "{otp}", channel="text", otp=CODE, idempotency_key="sign-up")

    operation = attrs.evolve(OPERATIONS["otp.send"], call=send)
    service = Service(operation, {"otp": CODES[form]})
    assert Verdict.UNKNOWN is await service.reconcile(ledger)
    assert ["sign-up"] == [send.key for send in await ledger.unresolved()]
