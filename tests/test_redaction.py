"""Secrets and phone numbers are masked in texts and reprs."""

import pytest
from hypothesis import given, strategies as st

from tingting_async.redaction import hide_repr, mask, mask_repr, redact, shorten
from tingting_async.v1.models.contacts import Contact, ContactsAdded

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOjF9.c2ln-bmF0_dXJl"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("as it is", "as it is"),
        ("no 9800000001.", "no …01."),
        ("no 98_00_00_00_01.", "no …01."),
        ("no 9800/000001.", "no …01."),
        ("campaign/12345/detail/67", "campaign/12345/detail/67"),
        ("+977 980-000-0001 or (980) 000.0001", "+…01 or (…01"),
        ("९८००००००१२ को", "…१२ को"),
        ("id 123456", "id 123456"),
        ("id 1234567", "id …67"),
        (f"token {JWT}!", "token [secure]!"),
        (f"token {JWT.rpartition('.')[0]}", "token [secure]"),
        ("eyJ" * 50, "eyJ" * 50),
        (f"x{JWT} eyJx-{JWT}", "x[secure] [secure]"),
        ("eyJx-7acbdcd5619e4b9eaaad8e41dabb", "eyJx-[secure]"),
        ("eyJ. eyJa..b", "[secure] [secure]"),
        ("Authorization: Bearer abc def", "Authorization: [secure] def"),
        ("bearer\tabc", "[secure]"),
        ("key 7acbdcd5619e4b9eaaad8e41dabb7032298e1acdf8fbc99bfae70561b51cdee7.", "key [secure]."),
        ("Your OTP is 4829", "Your OTP is …"),
        ("Your code: 4 8 2 9 1", "Your code: …"),
        ("PIN 482917", "PIN …"),
        ("तपाईंको कोड ४८२९ हो", "तपाईंको कोड … हो"),
        ("by http://user:hunter2@proxy:8080/", "by http://[secure]@proxy:8080/"),
        ("a@b.example, http://b.example/a@b", "a@b.example, http://b.example/a@b"),
        ("the year 2025", "the year 2025"),
        ('{"token":{"access":"no-form","refresh" : "cut sh', '{"token":{"access":"[secure]","refresh" : "[secure]"'),
        ('{"otp":482,"otp_options":"generated"}', '{"otp":"[secure]","otp_options":"generated"}'),
        ('{"token":null,"password":["a"]}', '{"token":null,"password":["a"]}'),
        ("decoded 4829 pins", "decoded 4829 pins"),
    ],
)
def test_redact(text: str, shown: str) -> None:
    """Tokens and phone numbers are masked. In a text about codes, every run of four digits or more is masked."""
    assert redact(text) == shown


def test_codes() -> None:
    """With `codes`, every run of four digits or more is masked. Shorter runs are not."""
    assert redact("4829, 123", codes=True) == "…, 123"


@given(
    st.text(), st.from_regex(r"9[78]\d{8}", fullmatch=True), st.text(alphabet=st.characters(exclude_categories=["Nd"]))
)
def test_no_number_survives(before: str, number: str, after: str) -> None:
    """A phone number is masked wherever it appears."""
    assert number not in redact(before + number + after)


@pytest.mark.parametrize(
    ("number", "shown"),
    [("9800000001", "…01"), (9800000001, "…01"), ("+977-980", "…"), ("1234567", "…67"), ("123456", "…"), ("", "…")],
)
def test_mask(number: object, shown: str) -> None:
    """Only the last two digits of a number are shown, and none of a short one."""
    assert mask(number) == shown


@pytest.mark.parametrize(
    ("text", "length", "shown"),
    [("", 8, ""), ("abcdefgh", 8, "abcdefgh"), ("abcdefghi", 8, "abcde…hi"), ("a" * 1000 + "end", 40, "a" * 29 + "…")],
)
def test_shorten(text: str, length: int, shown: str) -> None:
    """A text that is too long loses its middle."""
    found = shorten(text, length)
    assert found.startswith(shown)
    assert min(len(text), length) == len(found)
    assert text[-2:] == found[-2:]


def test_reprs() -> None:
    """A masked field shows its last two digits; a hidden one shows only whether it has a value."""
    assert [mask_repr(value) for value in (None, "9800000001", 9800000001)] == ["None", "'…01'", "'…01'"]
    assert [hide_repr(value) for value in (None, "", "hunter2")] == ["None", "''", "'[secure]'"]


def test_repr_of_contacts() -> None:
    """The repr of a contact shows its UUID, and no number; that of many contacts shows how many there are."""
    uuid = "44bf1234-5678-4abc-9def-123456789012"
    contact = Contact(id=1, number="9800000001", uuid=uuid)
    assert f"uuid={uuid!r}" in repr(contact)
    assert "9800000001" not in repr(Contact(id=1, number="9800000001", uuid="9800000001"))
    assert uuid in repr(ContactsAdded(created=1, contacts=(contact,)))
    assert "contacts=<242 items>" in repr(ContactsAdded(created=242, contacts=(contact,) * 242))
