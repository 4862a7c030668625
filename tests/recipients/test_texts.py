"""Texts of messages: SMS parts, placeholders, legacy fonts, and texts for speech synthesis."""

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from tingting_async import SmsEncoding, UsageError, is_legacy_font, sms_parts, speakable
from tingting_async.recipients.texts import fill, is_blank, missing_values, placeholders

GSM, UCS = SmsEncoding.GSM_7, SmsEncoding.UCS_2


@pytest.mark.parametrize(
    ("text", "encoding", "units", "count"),
    [
        ("", GSM, 0, 0),
        ("a", GSM, 1, 1),
        ("a" * 160, GSM, 160, 1),
        ("a" * 161, GSM, 161, 2),
        ("a" * 306, GSM, 306, 2),
        ("a" * 307, GSM, 307, 3),
        ("[", GSM, 2, 1),
        ("^{}\\[~]|€\f", GSM, 20, 1),
        ("€" * 80, GSM, 160, 1),
        ("€" * 81, GSM, 162, 2),
        ("a" * 152 + "€" + "a" * 7, GSM, 161, 2),
        ("a" * 152 + "€" + "a" * 152, GSM, 306, 3),
        ("€" * 152, GSM, 304, 2),
        ("€" * 153, GSM, 306, 3),
        ("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà", GSM, 44, 1),
        ("ç", UCS, 1, 1),
        ("`", UCS, 1, 1),
        ("\t", UCS, 1, 1),
        ("\x1b", UCS, 1, 1),
        ("it\u2019s", UCS, 4, 1),
        ("[€\u2019", UCS, 3, 1),
        ("न" * 70, UCS, 70, 1),
        ("न" * 71, UCS, 71, 2),
        ("न" * 134, UCS, 134, 2),
        ("न" * 135, UCS, 135, 3),
        ("क्षि", UCS, 4, 1),
        ("😀" * 35, UCS, 70, 1),
        ("😀" * 36, UCS, 72, 2),
        ("😀" * 66, UCS, 132, 2),
        ("😀" * 67, UCS, 134, 3),
        ("न" * 66 + "😀" + "न" * 66, UCS, 134, 3),
        ("न" * 65 + "😀" + "न" * 67, UCS, 134, 2),
    ],
)
def test_sms_parts(text: str, encoding: SmsEncoding, units: int, count: int) -> None:
    """Parts are counted as the network does, and no character of two units is divided between parts."""
    parts = sms_parts(text)
    assert (encoding, units, count, count) == (parts.encoding, parts.units, parts.count, parts)
    assert "".join(parts.parts) == text
    assert len(parts.parts) == max(count, 0)


@settings(deadline=None, max_examples=150)
@given(st.text("aक€[😀 ", min_size=100, max_size=400) | st.text("a€[ ", min_size=150, max_size=500))
def test_every_part_fits(text: str) -> None:
    """Each part of a long text fits into one SMS with its header, and no text is lost."""
    parts = sms_parts(text)
    assert (text, parts) == ("".join(parts.parts), len(parts.parts))
    if parts > 1:
        size = 153 if parts.encoding is GSM else 67
        assert all(sms_parts(part).units <= size or parts.encoding is UCS for part in parts.parts)
        assert all(len(part.encode("utf-16-le")) // 2 <= size for part in parts.parts if parts.encoding is UCS)


def test_parts_are_an_integer() -> None:
    """The result can be added up, copied and pickled, and its repr does not show the text."""
    parts = sms_parts("code 482917 " * 20)
    assert 3 == sum([parts, sms_parts("a")])
    assert "<SmsParts: 2 of 240 units in GSM-7>" == repr(parts)
    for other in (copy.copy(parts), pickle.loads(pickle.dumps(parts))):
        assert (parts, parts.parts, GSM) == (other, other.parts, other.encoding)


@pytest.mark.parametrize("text", [None, 5, b"a", "a\ud83d", ["a"]])
def test_no_text(text: Any) -> None:
    """A value that is not a text, or cannot be sent, is refused."""
    with pytest.raises(UsageError, match="`text`"):
        sms_parts(text)


@pytest.mark.parametrize("text", [None, 5, b"a", ["a"]])
def test_no_message(text: Any) -> None:
    """A value that is not a string is refused, and the error names the argument."""
    with pytest.raises(UsageError, match=f"`message` must be a string, not {type(text).__name__}"):
        speakable(text)
    with pytest.raises(UsageError, match=f"`text` must be a string, not {type(text).__name__}"):
        is_legacy_font(text)


@pytest.mark.parametrize(
    ("message", "names"),
    [("{a} and {b}", ["a", "b"]), ("none", []), ("{a} }{ {tags_b}", ["a", "tags_b"]), ("{}", []), ("{a}{a}", ["a"])],
)
def test_placeholders(message: str, names: list[str]) -> None:
    """The names of placeholders are found, even in messages that are not valid format strings."""
    assert names == sorted(placeholders(message))


@pytest.mark.parametrize(
    ("message", "values", "filled"),
    [
        ("Dear {name}, {amount}", {"name": "Sita", "amount": 5}, "Dear Sita, 5"),
        ("Dear {name}", {"name": "{amount}", "amount": 5}, "Dear {amount}"),
        ("{a}{b}", {"a": "{b}", "b": "{a}"}, "{b}{a}"),
        (r"Dear {name}", {"name": r"\1 \g<0> $1 %s {0} {name!r}"}, r"Dear \1 \g<0> $1 %s {0} {name!r}"),
        ("{नाम} जी", {"नाम": "राम"}, "राम जी"),
        ("{a.b} {a*}", {"a.b": 1, "a*": 2}, "1 2"),
        ("{a} {b}", {"a": 1}, "1 {b}"),
        ("{a}", {"a": None}, "{a}"),
        ("{a}", {"a": 0}, "0"),
        ("{ {a} }", {"a": 1}, "{ 1 }"),
        ("", {"a": 1}, ""),
    ],
)
def test_fill(message: str, values: dict[str, Any], filled: str) -> None:
    """Each placeholder becomes its value, whose braces and backslashes stay what they are."""
    assert filled == fill(message, values)


def test_missing_values() -> None:
    """A placeholder whose value is missing, None, NaN or blank is named, and no other."""
    values = {"a": "", "b": " \u200b", "c": None, "d": float("nan"), "e": 0, "f": "x", "h": ""}
    assert ["a", "b", "c", "d", "g"] == missing_values("{a}{b}{c}{d}{e}{f}{g}", values)
    assert not is_blank(0.0)


@pytest.mark.parametrize(
    "text",
    """/fd; xl/; l;tf; uLtf; g]kfn; gd:t]; clgtf; ljgf]b; k'hf; cfdf; /d]z; u0f]z; zfGtL sDkgL; /fd axfb'/
    tkfO{+sf] laBfyL{ x'g'x'G5; s[kof cfkmgf] z'Ns ltg'{xf]; ljBfno aGb x'g]5; {name} hL, tkfO{sf] lan ltg'{xf]
    gd:t] {name}; ef]ln ljBfno ljbf x'g] hfgsf/L u/fOG5; Dear g]kfn""".replace("\n", ";").split("; "),
)
def test_legacy_fonts(text: str) -> None:
    """Text typed for a font such as Preeti is recognised."""
    assert is_legacy_font(text.strip().strip(";"))


ENGLISH = """Dear {name}, your fee of Rs. 1,200 is due.~Hello~Rs 500 /kg~Safdar~Kafka~Wolfgang~Sita[10A]
[see above] please~Mon|Tue|Wed~WiFi~eSewa~PhonePe~McDonald~Pvt. Ltd~PhD~Mr. Dr. Ng~COVID19~A+ B+~w/o~and/or
km/h~Shrestha~Tshering~Lhakpa Lhamo~O'Brien~D'Souza~rock'n'roll~self half golf~pdf~OTP~SMS~xyz~hmm
Tapaiko bill tirnu hos~Namaste tapai lai sanchai cha?~kripaya~bcz u r gr8~pls cnfrm ur nmbr thx~Class 10[B]
Ward-5/Kathmandu~https://a.b/c]d~price: Rs.500/-~Bldg;Blk~hello;please~c/o Ram~TV/fridge~{first_name}[{last_name}]
Dr. B. P. K.~N/A~#N/A~~12345~राम~YouTube~MBBS/BDS~St. Xavier's~NTC/Ncell~Mst. Ram~lt col~pvt ltd~kg/ltr~hrs/day
Rs.1200/mth~y'all~ma'am~[Urgent] Fee~LKG/UKG~lkg fee~fb/insta~jpg~यो g]kfn होइन, नेपाल हो; hajur le ali herna hola
a@b.c/d]~{name} hajur, {amount} baki cha"""


@pytest.mark.parametrize("text", ENGLISH.replace("\n", "~").split("~"))
def test_no_legacy_font(text: str) -> None:
    """English, abbreviations, romanised and real Nepali are not taken for text of a legacy font."""
    assert not is_legacy_font(text)


@pytest.mark.parametrize(
    ("message", "spoken"),
    [
        (" a\r\nb\u00a0 c ", "a b c"),
        ("a\tb\u2028c\u3000d\u202fe", "a b c d e"),
        ("\ufeffन\u200bम\u202aस्ते\u202c\x00", "नमस्ते"),
        ("र्\u200dयाल क्\u200cष", "र्\u200dयाल क्\u200cष"),
        ("no change: {name}, 1,200.50!", "no change: {name}, 1,200.50!"),
        ("❤\ufe0f", "❤"),
        ("", ""),
    ],
)
def test_speakable(message: str, spoken: str) -> None:
    """White space becomes single spaces and invisible marks vanish; words and the joiners of Devanagari stay."""
    assert spoken == speakable(message)
