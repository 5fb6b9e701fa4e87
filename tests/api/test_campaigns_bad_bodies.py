"""What is wrong with a campaign's request is told with its place, and nothing is kept of it. One row a flaw."""

from __future__ import annotations

import gzip
import io
import json
import random
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sms_connector.api.uploads.content import MAX_RECORD_BYTES
from sms_connector.api.uploads.json_document import WholeCharacters
from sms_connector.errors import InvalidRequest
from tests.fixtures.campaign_api import CSV, JSON, NDJSON, TO, CampaignApi, ndjson, zipped

HELLO = {"message": "Hello"}
GZIP = {"Content-Encoding": "gzip"}
GOOD = ndjson([{"to": TO}] * 3)
ROWS = b"to,n\n" + b"+15558675310,x\n" * 3
RANDOM = bytes(random.Random(1).randbytes(5000))


@dataclass(frozen=True)
class Bad:
    """`fields` are the paths that must be named, all of them; `says` is in the message."""

    reason: str
    body: Any
    form: str = JSON
    fields: tuple[str, ...] = ("",)
    says: str = ""
    query: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


def document(**more: Any) -> dict[str, Any]:
    return {"message": "Hello", "records": [{"to": TO}], **more}


def lines(reason: str, body: bytes, says: str = "", **query: Any) -> Bad:
    return Bad(reason, body, NDJSON, ("",), says, {**HELLO, **query})


def rows(reason: str, body: bytes, says: str = "", *fields: str, **query: Any) -> Bad:
    return Bad(reason, body, CSV, fields or ("",), says, {**HELLO, **query})


BROKEN_JSON = [
    Bad("no body at all", b""),
    Bad("white space", b"  \n "),
    Bad("an array", b"[]", says="must be a JSON object"),
    Bad("a string", b'"x"', says="must be a JSON object"),
    Bad("cut off in the records", json.dumps(document()).encode()[:40], says="not JSON, or cut off"),
    Bad(
        "cut off after a million bytes",
        b'{"message":"x","records":[' + b'{"to":"+15558675310"},' * 50_000,
        says="after records[49999]",
    ),
    Bad("two documents", b"{}{}"),
    Bad("something behind it", json.dumps(document()).encode() + b" x"),
    Bad("a comma too many", b'{"message": "x", "records": [{"to": "a"},]}'),
    Bad("a comment", b'{"message": "x" /* y */}'),
    Bad("single quotes", b"{'message': 'x'}"),
    Bad("NaN", b'{"message": "x", "records": [{"to": NaN}]}'),
    Bad("a number beyond 64 bits", b'{"message": "x", "records": [{"to": ' + b"9" * 30 + b"}]}", says="64 bits"),
    Bad("a fraction beyond them", b'{"message": "x", "records": [{"to": 1e400}]}', says="send it as text"),
    Bad("the name of the parser's error as text", b'{"message": "overflow UTF8",', says="not JSON, or cut off"),
    Bad("a byte order mark", b"\xef\xbb\xbf" + json.dumps(document()).encode(), says="byte order mark"),
    Bad("not UTF-8", b'{"message": "x", "records": [{"to": "\xff"}]}', says="is not UTF-8"),
    Bad("UTF-16", json.dumps(document()).encode("utf-16")),
    Bad("half an emoji", rb'{"message": "x", "records": [{"to": "\ud83d"}]}', says="half a character"),
    Bad(
        "half an emoji at the end of a piece",
        b'{"message": "x", "records": [{"to": "' + b"x" * 65_500 + rb"\ud83d" + b'"}]}',
        says="half a character",
    ),
    Bad(
        "a key twice at the top", b'{"message": "x", "message": "y", "records": []}', fields=("message",), says="twice"
    ),
    Bad(
        "the records twice",
        b'{"message": "x", "records": [{"to": "a"}], "records": []}',
        fields=("records",),
        says="twice",
    ),
    Bad(
        "a key twice in a record",
        b'{"message": "x", "records": [{"to": "a"}, {"to": "b", "to": "c"}]}',
        fields=("records[1].to",),
        says="twice",
    ),
    Bad(
        "a key twice deep in a record",
        b'{"message": "x", "records": [{"a": [{"b": 1, "b": 2}]}]}',
        fields=("records[0].b",),
        says="twice",
    ),
    Bad("records that are no list", {**HELLO, "records": {"to": TO}}, fields=("records",), says="a list"),
    Bad("records that are null", {**HELLO, "records": None}, fields=("records",), says="a list"),
    Bad("no record", {**HELLO, "records": []}, fields=("records",), says="is empty"),
    Bad("no records", HELLO, fields=("records",), says="is missing"),
    Bad(
        "a record that never ends",
        b'{"message": "x", "records": [{"to": "' + b"x" * (MAX_RECORD_BYTES + 200_000),
        says="a record has more than",
    ),
    Bad(
        "a field that never ends", b'{"message": "' + b"x" * (MAX_RECORD_BYTES + 200_000), says="a record has more than"
    ),
    Bad("nested without end", b'{"message": "x", "records": [' + b"[" * 400_000, says="a record has more than"),
]

BROKEN_ROWS = [
    Bad("no line at all", b"", NDJSON, ("records",), "is empty", HELLO),
    Bad("empty lines", b"\n\n \n", NDJSON, ("records",), "is empty", HELLO),
    lines("a line cut off", GOOD + b'{"to": "+155', "line 4 is not JSON"),
    lines("a line that is no JSON", b'{"to": 1}\nhello\n', "line 2 is not JSON"),
    lines("two objects in a line", b'{"to": "a"} {"to": "b"}\n', "line 1 is not JSON"),
    lines("an array of objects over lines", b'[\n{"to": "a"}\n]\n', "line 1 is not JSON"),
    lines("a key twice", GOOD + b'{"to": "a", "to": "b"}\n', "line 4 has 'to' twice"),
    lines("not UTF-8", GOOD + b'{"to": "\xff"}\n', "line 4 is not JSON"),
    lines("half an emoji", rb'{"to": "\ud83d"}', "line 1 is not JSON"),
    lines("nested too deeply", b'{"to": ' + b"[" * 100_000 + b"}", "line 1"),
    lines("a workbook", b"PK\x03\x04" + bytes(100), "an Excel workbook"),
    lines("an old spreadsheet's characters", GOOD + b'{"to": "Zo\xeb"}\n', "send charset=windows-1252"),
    lines("one line without end", b'{"to": "' + b"x" * (MAX_RECORD_BYTES + 200_000), "a record has more than"),
    rows("no row at all", b"", "has no header"),
    rows("a header and nothing else", b"to\n", "is empty", "records"),
    rows("an empty header", b"\n+15558675310\n", "no column 'to'; it has '+15558675310'", "mapping.to"),
    rows("nothing but empty rows", b"\n;;\n,,,\n \n", "has no header"),
    rows("a separator and nothing else", b"sep=;\n", "has no header"),
    rows("names that read the same", "to,first name,first\u00a0name\n".encode(), "names 'first name' twice"),
    rows(
        "what was tried is told",
        b"Mobil;Name\nx;y\n",
        "read with delimiter=semicolon (others: comma, tab, pipe)",
        "mapping.to",
    ),
    rows("a header whose quote never closes", b'"to,name\n+15558675310,x\n', "the CSV's header (line 1)"),
    rows(
        "a workbook",
        b"PK\x03\x04" + bytes(100),
        'an Excel workbook (or a ZIP archive), not text; save it as "CSV UTF-8"',
    ),
    rows("an old workbook", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "an Excel workbook"),
    rows("a column twice", b"to,n,n\n", "names 'n' twice"),
    rows("no column for the recipient", b"mobile\n+15558675310\n", "no column 'to'", "mapping.to"),
    rows("nor for a placeholder", b"mobile\nx\n", "no column", "mapping.to", "mapping.a", message="<a>"),
    rows("another delimiter than it says", ROWS, "no column 'to'", "mapping.to", delimiter="tab"),
    rows("a quote that is not closed", ROWS + b'+15558675310,"x\n', "line 5 is not CSV"),
    rows("a quote in the wrong place", ROWS + b'+15558675310,"x"y\n', "line 5 is not CSV"),
    rows(
        "not UTF-8",
        ROWS + b"+15558675310,\xe9\n",
        'line 5 is not UTF-8; save the file as "CSV UTF-8", or send charset=windows-1252',
    ),
    rows("not UTF-8 in the header", b"to,pr\xe9nom\n", "line 1 is not UTF-8"),
    rows(
        "not UTF-8, far in", ROWS + b"+15558675310,x\r\n" * 50_000 + b"+15558675310,\xe9\n", "line 50005 is not UTF-8"
    ),
    rows("not UTF-8 between returns only", b"to,n\r+15558675310,x\r+15558675310,\xe9\r", "line 3 is not UTF-8"),
    rows("half of UTF-16", "to\n+15558675310\n".encode("utf-16")[:-1], "is not utf-16-le"),
    rows("a charset that has no such character", ROWS + b"+1,\x81\n", "line 5 is not cp1252", charset="windows-1252"),
    rows(
        "one value without end", b'to,n\n+1,"' + b"x" * (MAX_RECORD_BYTES + 200_000) + b'"\n', "a record has more than"
    ),
    rows("no line break without end", b"to" + b"x" * (MAX_RECORD_BYTES + 200_000), "a record has more than"),
    Bad(
        "gzip that is cut off",
        zipped(ndjson([{"to": TO}] * 1000))[:-20],
        NDJSON,
        says="is cut off",
        query=HELLO,
        headers=GZIP,
    ),
    Bad(
        "gzip with a wrong checksum",
        zipped(GOOD)[:-8] + b"\0" * 8,
        NDJSON,
        says="not gzip, or damaged",
        query=HELLO,
        headers=GZIP,
    ),
    Bad("gzip that is none", GOOD, NDJSON, says="not gzip, or damaged", query=HELLO, headers=GZIP),
    Bad("damaged in the middle", gzip.compress(RANDOM)[:100] + b"\0" * 500, CSV, says="", query=HELLO, headers=GZIP),
    Bad("a bomb", zipped(b" " * 50_000_000), NDJSON, says="a record has more than", query=HELLO, headers=GZIP),
    Bad(
        "a bomb of JSON",
        zipped(b'{"message": "x", "records": [{"to": "' + b"x" * 50_000_000),
        says="a record has more than",
        headers=GZIP,
    ),
]

FIELDS = [
    Bad("no message", {"records": [{"to": TO}]}, fields=("message",), says="is missing"),
    Bad("an unknown field", document(texts="x"), fields=("texts",), says="unknown field"),
    Bad("a single recipient", document(to=TO), fields=("to",), says="unknown field"),
    Bad("onInvalid, which is always report", document(onInvalid="report"), fields=("onInvalid",)),
    Bad("waiting", document(tracking={"wait": True}), fields=("tracking.wait",), says="answered at once"),
    Bad("six placeholders", document(message="<a><b><c><d><e><f>"), fields=("message",), says="at most 5"),
    Bad("a mapping of nothing", document(mapping={"x": "y"}), fields=("mapping.x",)),
    Bad("an empty text", document(message=" "), fields=("message",), says="is empty"),
    Bad("a text too long", document(message="x" * 1601), fields=("message",), says="1601"),
    Bad(
        "801 emoji, 1 602 of the provider's units",
        document(message="\U0001f600" * 801),
        fields=("message",),
        says="1602",
    ),
    Bad("a NUL character in the text", document(message="a\x00"), fields=("message",), says="NUL"),
    Bad(
        "several at once",
        document(sender="!!", validitySeconds=999_999, mediaUrls=["x"], tracking={"wait": True}),
        fields=("sender", "validitySeconds", "mediaUrls[0]", "tracking.wait"),
    ),
    Bad("a callback address in the clear", document(callbackUrl="http://example.com"), fields=("callbackUrl",)),
    Bad("a document and a query", document(), fields=("message", "dryRun"), query={"message": "x", "dryRun": "true"}),
    Bad("no message in the query", GOOD, NDJSON, ("message",), "query parameter"),
    Bad("an unknown parameter", GOOD, NDJSON, ("msg",), query={**HELLO, "msg": 1}),
    Bad("a parameter twice", GOOD, NDJSON, ("message",), "twice", query={"message": ["a", "b"]}),
    Bad("records in the query", GOOD, NDJSON, ("records",), query={**HELLO, "records": "[]"}),
    Bad("a mapping without a colon", GOOD, NDJSON, ("mapping",), query={**HELLO, "mapping": "to"}),
    Bad("a mapping twice", GOOD, NDJSON, ("mapping",), query={**HELLO, "mapping": ["to:a", "to:b"]}),
    Bad("a mapping of broken JSON", GOOD, NDJSON, ("mapping",), query={**HELLO, "mapping": "{"}),
    Bad("a delimiter nobody knows", ROWS, CSV, ("delimiter",), query={**HELLO, "delimiter": ";"}),
    Bad("a wrong number in the query", ROWS, CSV, ("retryAttempts",), query={**HELLO, "retryAttempts": "many"}),
    Bad("a wrong boolean in the query", ROWS, CSV, ("dryRun",), query={**HELLO, "dryRun": "perhaps"}),
    Bad("a form", b"to=x", "application/x-www-form-urlencoded", ("Content-Type",), "text/csv"),
    Bad("a spreadsheet", b"PK", "application/vnd.ms-excel", ("Content-Type",), "text/csv"),
    Bad(
        "an unknown charset",
        ROWS,
        "text/csv; charset=klingon",
        ("Content-Type",),
        "'klingon' is an unknown",
        query=HELLO,
    ),
    Bad(
        "a codec that is no charset",
        ROWS,
        CSV,
        ("charset",),
        "'rot13' is an unknown",
        query={**HELLO, "charset": "rot13"},
    ),
    Bad("JSON in another charset", document(), "application/json; charset=iso-8859-1", ("Content-Type",), "UTF-8"),
    Bad(
        "another compression", ROWS, CSV, ("Content-Encoding",), "gzip", query=HELLO, headers={"Content-Encoding": "br"}
    ),
    Bad("a key with spaces", ROWS, CSV, ("Idempotency-Key",), query=HELLO, headers={"Idempotency-Key": "a b"}),
]


@pytest.mark.parametrize("bad", [*BROKEN_JSON, *BROKEN_ROWS, *FIELDS], ids=lambda bad: bad.reason)
def test_is_refused_with_its_place_and_leaves_nothing(bad: Bad) -> None:
    api = CampaignApi()
    answer = api.create(bad.body, form=bad.form, headers=bad.headers, **bad.query)
    assert answer.status_code == 400, answer.text
    error = answer.json["error"]
    assert error["status"] == "INVALID_ARGUMENT"
    assert sorted(detail.get("field", "") for detail in error["details"]) == sorted(bad.fields)
    told = error["message"] + "".join(detail.get("message", "") for detail in error["details"])
    assert bad.says in told
    assert api.kept() == 0
    assert api.world.chunk_tasks() == []


@pytest.mark.parametrize("bad", [*BROKEN_JSON, *BROKEN_ROWS], ids=lambda bad: bad.reason)
def test_a_dry_run_refuses_the_same(bad: Bad) -> None:
    if isinstance(bad.body, dict):
        bad = Bad(bad.reason, {**bad.body, "dryRun": True}, bad.form, bad.fields)
    elif bad.form == JSON:
        return
    query = {**bad.query, "dryRun": "true"} if bad.form != JSON else {}
    answer = CampaignApi().create(bad.body, form=bad.form, headers=bad.headers, **query)
    assert answer.status_code == 400, answer.text


def test_a_method_or_a_path_that_is_none() -> None:
    api = CampaignApi()
    assert api.client.put("/v1/campaigns", data=b"x" * 1000).status_code == 405
    assert api.client.get("/v1/campaigns/x/results/y").status_code == 404


# --- half characters ------------------------------------------------------------------------------------------------------

PIECES = [rb"\\", rb"\n", rb"\"", rb"\ud83d", rb"\ude00", rb"\ud83d\ude00", rb"\u00e9", b"uD83D", b"a", rb"\\ud83d"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=8).map(b"".join), st.lists(st.integers(1, 9), max_size=40))
def test_half_characters_are_found_however_the_body_is_cut(text: bytes, cuts: list[int]) -> None:
    whole = WholeCharacters(io.BytesIO(text))
    found = False
    try:
        for cut in [*cuts, len(text) + 1, 1]:
            whole.read(cut)
    except InvalidRequest:
        found = True
    assert found is has_half(text)


def has_half(text: bytes) -> bool:
    """As the standard library reads it."""
    try:
        json.loads(b'"' + text + b'"').encode()
    except UnicodeEncodeError:
        return True
    return False
