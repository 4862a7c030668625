"""The headers of columns: what people, phones and spreadsheets call the columns of a list of recipients."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from tingting_async.recipients.values import unescape

REASON: Final = "TingTing: reason"
"""The column of a rejects file that says what is wrong with the row."""
ROW: Final = "TingTing: row"
"""The column of a rejects file that has the number of the row in the original file."""
NOTE: Final = "TingTing: "
"""The prefix of a cell in a rejects file that stands for a value the file cannot hold."""
LACKING: Final = f"{NOTE}missing"
"""Stands for a cell that a row does not have, in a rejects file."""
_ROW: Final = re.compile(rf"{ROW}(?: \(numbers: (.+)\))?")
DUPLICATE_OF: Final = re.compile(r"duplicate of (\d+): ")
"""The start of the reason of a duplicate, in a rejects file."""

_NOT_PHONES = re.compile(
    r"\b(?:name|person|type|label|id|e ?mail|address|fax|pager|date|time|amount|account|acc|a c|roll|bill|invoice"
    r"|serial|house|ward|pan|vat|citizenship|registration|reg|count|total|status|carrier|operator|network|code|model|group|notes?"
    r"|remarks?)\b"
    r"|\b(?:no|number|count) of\b|नाम|व्यक्ति|ठेगाना|इमेल|किसिम|प्रकार|फ्याक्स|रोल|खाता|घर|वडा|दर्ता|रकम|मिति|कोड|नागरिकता"
)
_JOINED = r"(?:\s*(?:no|nos|num|number|numbers|nambar|नम्बर|नं|न))*"
_ABSENT = re.compile(
    r"^no (?!of\b)\w|\b(?:without|lost|stolen|broken|wrong|invalid|xaina|chaina|chhaina)\b|\boff$|छैन|बन्द|हरायो"
    r"|\bnot (?:available|working|reachable|known|given|yet|in use)\b"
)
"""What people write instead of a number."""
_REMARKS = re.compile(r"\b(?:call|calls|ask|same|above|later|see|refused|switched|please|will|does|has|have|only)\b")
"""Words of other remarks that people write instead of a number."""
_NAMES: Final = (
    re.compile(
        rf"(?:^numbers$|\b(?:mobiles?|mob|cell|cells|cellular|cellphones?|msisdn){_JOINED}\b|मोबाइल)|^(?:मो|सेल)(?:\s|$)"
    ),
    re.compile(rf"\b(?:phones?|telephones?|tele|tel|ph|phn|fon|sms){_JOINED}\b|फोन|दूरभाष|^(?:number|नम्बर|नम्बरहरू|नं)$"),
    re.compile(rf"\b(?:contacts?|samparka?|whats ?app|viber|recipients?|receivers?){_JOINED}\b|सम्पर्क|^(?:to|प्रापक)$"),
)
"""The names of columns with phone numbers, the clearest first."""
_SECOND = re.compile(
    r"\b(?:2nd|3rd|second|secondary|third|alternate|alternative|alternet|alt|other|another|emergency|backup|extra|optional)\b"
    r"|अर्को|वैकल्पिक|दोस्रो|अन्य|आकस्मिक"
)
_ORDINAL = re.compile(r"(?:^|[^\d])([2-9])(?:$|[^\d])")
_SAME_PERSON = re.compile(
    r"\b(?:home|work|office|off|business|company|primary|main|default|personal|private|own|my|your|land ?line|res"
    r"|residence|ncell|ntc|namaste|value|field|valid|active|digits?|the|is|what|enter|please|with|country|nepali?|phones?|mobiles?"
    r"|numbers?|nos?|num|e|raw|clean|cleaned|formatted|and|or|for|to)\b"
    r"|नम्बर(?:हरू)?|नं|घर|कार्यालय|अफिस|मुख्य|टेलि|ल्यान्डलाइन"
)
"""Words of a header that do not say whose number it is."""
_SERIALS = re.compile(
    r"s n|s ?no|sn|sr|sr ?no|sr ?num(?:ber)?|sl|sl ?no|serial|serial (?:no|num|number)|si ?no|no|nos|row|index"
    r"|क्र ?सं?|क्र ?स|सि ?नं?|क्रम|क्रम संख्या|क्रमसंख्या|क्रमाङ्क"
)
_TOTALS = re.compile(
    r"(?:(?:grand|sub|sum|net|overall) )?(?:totals?|subtotals?|sum|average|avg|count)"
    r"(?: (?:amount|due|rows|records|contacts|people|students|numbers|count|number|rs|npr|\d+))*"
    r"|(?:कुल |कूल |उप )?(?:जम्मा|कुल|कूल|योग|जोड|औसत)(?: (?:रकम|संख्या|जना|रु|\d+))*"
)


_TOTAL_WORDS = re.compile("total|sum|average|avg|count|जम्मा|कुल|कूल|योग|जोड|औसत")


def row_header(names: Sequence[str], number: str) -> str:
    """Return the header of the column with the numbers of the rows, in a rejects file.

    Unless the headers alone say it, it also says which column has the phone numbers.
    """
    return ROW if [name for name in names if rank(name) is not None] == [number] else f"{ROW} (numbers: {number})"


def is_row_header(header: str) -> bool:
    """Return whether a header is one of `row_header`."""
    return _ROW.fullmatch(header) is not None


def is_ours(header: str) -> bool:
    """Return whether `write_rejects` has added the column with a header."""
    return header == REASON or is_row_header(header)


def marked_number(names: Sequence[str]) -> str | None:
    """Return the header of the column with the phone numbers, if a header of `row_header` says it."""
    found = (match[1] for name in names if (match := _ROW.fullmatch(name)))
    return next((number for number in found if number in names), None)


def plain(text: str) -> str:
    """Return a header as words: in lower case, with single spaces, and without punctuation and invisible marks."""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFKC", text)).casefold()
    text = text.replace("मोबाईल", "मोबाइल").replace("नंबर", "नम्बर").replace("नम्वर", "नम्बर").replace("संपर्क", "सम्पर्क")
    letters = (each if unicodedata.category(each)[0] in "LMN" else _gap(each) for each in text)
    return " ".join("".join(letters).split())


def _gap(character: str) -> str:
    return "" if unicodedata.category(character) in ("Cf", "Cc") and not character.isspace() else " "


def clean(text: str) -> str:
    """Return a header as the name of a variable: as it was typed, without invisible marks and superfluous spaces."""
    text = unicodedata.normalize("NFC", unescape(text))
    visible = "".join(each for each in text if unicodedata.category(each) != "Cf")
    return " ".join(visible.split())


def rank(header: str) -> int | None:
    """Return how surely a header names a column of phone numbers: 0 is best. None if it does not name one."""
    words = re.sub(r"(?<=[a-z])(?=\d)", " ", plain(header))
    if is_ours(header) or _NOT_PHONES.search(words) or _ABSENT.search(words):
        return None
    found = next((place for place, names in enumerate(_NAMES) if names.search(words)), None)
    if found is None:
        return None
    ordinal = _ORDINAL.search(words)
    return found + (10 * int(ordinal[1]) if ordinal else 0) + (100 if _SECOND.search(words) else 0)


def owner(header: str) -> str:
    """Return the words of a header that say whose phone number it is; an empty text if none does."""
    words = re.sub(r"\d+", " ", plain(header))
    for pattern in (*_NAMES, _SECOND, _SAME_PERSON):
        words = pattern.sub(" ", words)
    return " ".join(words.split())


def may_be_phones(header: str) -> bool:
    """Return whether nothing in a header says that its column has something else than phone numbers."""
    return _NOT_PHONES.search(plain(header)) is None


def is_remark(text: str) -> bool:
    """Return whether a text is what people write instead of a number, and not a header."""
    words = plain(text)
    return _ABSENT.search(words) is not None or _REMARKS.search(words) is not None


def is_second(header: str) -> bool:
    """Return whether a header names another number of a person, beside the first."""
    return _SECOND.search(plain(header)) is not None


def is_serial(header: str) -> bool:
    """Return whether a header names a column that counts the rows."""
    return header.strip() in ("#", "№") or _SERIALS.fullmatch(plain(header)) is not None


def is_total(text: str) -> bool:
    """Return whether a cell says that its row is a total."""
    return (
        len(text) < 60 and _TOTAL_WORDS.search(text.lower()) is not None and _TOTALS.fullmatch(plain(text)) is not None
    )


def letters(index: int) -> str:
    """Return the letters with which spreadsheets name a column: A is 0."""
    name = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def index_of(name: str) -> int | None:
    """Return the index of a column that is named with letters; None if they are not letters of a column."""
    if not re.fullmatch(r"[A-Za-z]{1,3}", name):
        return None
    index = 0
    for letter in name.upper():
        index = index * 26 + ord(letter) - ord("A") + 1
    return index - 1
