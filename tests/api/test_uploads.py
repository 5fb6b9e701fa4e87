"""Files as offices make them, read by the one reader of records: which columns, which records, on which line each begins."""

from __future__ import annotations

import gzip
import io
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_connector.api.uploads.content import RecordProblem
from sms_connector.api.uploads.csv_file import DELIMITERS
from sms_connector.api.uploads.record_stream import read_rows
from sms_connector.api.uploads.text import FileForm, find_charset
from sms_connector.errors import InvalidRequest
from sms_connector.model.field_mapping import FieldMapping
from sms_connector.model.template import Template

TO, OTHER = "+15558675310", "+15558675311"


def read(raw: bytes, *names: str, mapping: Mapping[str, str] | None = None, **form: Any) -> list[tuple[Any, Any]]:
    template = Template.parse("".join(f"<{name}>" for name in names))
    fields = FieldMapping.build(template, mapping or {})
    return list(read_rows(io.BytesIO(raw), FileForm(form.pop("format", "csv"), **form), fields))


class File(NamedTuple):
    why: str
    raw: bytes
    lines: tuple[int, ...] = (2,)
    form: Mapping[str, Any] = {}


PLAIN = f"to,prénom\n{TO},Zoë\n"
OFFICE_FILES = [
    File("plain", PLAIN.encode()),
    File("semicolons, where the comma is the decimal mark", PLAIN.replace(",", ";").encode()),
    File("tabs", PLAIN.replace(",", "\t").encode()),
    File("bars", PLAIN.replace(",", "|").encode()),
    File("line ends of Windows", PLAIN.replace("\n", "\r\n").encode()),
    File("returns only, as Excel for the Mac saved", PLAIN.replace("\n", "\r").encode()),
    File("no line end at the end", PLAIN.strip().encode()),
    File("everything quoted", f'"to","prénom"\n"{TO}","Zoë"\n'.encode()),
    File("a byte order mark", PLAIN.encode("utf-8-sig")),
    File("two byte order marks", b"\xef\xbb\xbf" + PLAIN.encode("utf-8-sig")),
    File("a mark before a quote", f'\ufeff"to","prénom"\n{TO},Zoë\n'.encode()),
    File("a mark behind an empty line", f'\r\n\ufeff"to";prénom\r\n{TO};Zoë\r\n'.encode(), (3,)),
    File("Excel's 'Unicode text': UTF-16, tabs", PLAIN.replace(",", "\t").encode("utf-16")),
    File("UTF-16 the other way round", b"\xfe\xff" + PLAIN.encode("utf-16-be")),
    File("UTF-16 without its mark", PLAIN.encode("utf-16-le")),
    File("UTF-16, though a client says UTF-8 as it always does", PLAIN.encode("utf-16"), (2,), {"charset": "utf-8"}),
    File("an older spreadsheet's characters, named", PLAIN.encode("cp1252"), (2,), {"charset": "cp1252"}),
    File("a mark goes before the charset", PLAIN.encode("utf-8-sig"), (2,), {"charset": "cp1252"}),
    File("Excel's separator line", f"sep=;\r\nto;prénom\r\n{TO};Zoë\r\n".encode(), (3,)),
    File("the same behind a mark", f"\ufeffsep=;\r\nto;prénom\r\n{TO};Zoë\r\n".encode(), (3,)),
    File("the same, a mark behind it, too", f'\ufeffsep=;\r\n\ufeff"to";prénom\r\n{TO};Zoë\r\n'.encode(), (3,)),
    File("the same in quotes", f'"sep=|"\nto|prénom\n{TO}|Zoë\n'.encode(), (3,)),
    File("the same with a tab", f"sep=\t\nto\tprénom\n{TO}\tZoë\n".encode(), (3,)),
    File("a separator of nobody else", f"sep=^\nto^prénom\n{TO}^Zoë\n".encode(), (3,)),
    File("blanks around the names", f" to , prénom \n{TO},Zoë\n".encode()),
    File("no-break spaces around the names", f"\u00a0to\u00a0;prénom\u202f\n{TO};Zoë\n".encode()),
    File("invisible characters in the names", f"\u200bto;pré\u00adnom\u200b\n{TO};Zoë\n".encode()),
    File("decomposed accents, as a Mac has them", f"to;pre\u0301nom\n{TO};Zoë\n".encode()),
    File("the header ends in delimiters", f"to;prénom;;\n{TO};Zoë;;\n".encode()),
    File("the rows end in delimiters", f"to,prénom\n{TO},Zoë,,,\n".encode()),
    File("rows of delimiters at the end", f"to;prénom\n{TO};Zoë\n;\n;\n".encode()),
    File("and in between", f"to;prénom\n;\n \n\u00a0;\n{TO};Zoë\n".encode(), (5,)),
    File("rows of delimiters before the header", f";;\n\nto;prénom\n{TO};Zoë\n".encode(), (4,)),
    File("the other delimiter in another name", f'"to";prénom;"Name, Vorname, Titel, Ort"\n{TO};Zoë;x\n'.encode()),
    File("the other delimiter unquoted in another name", f"to;prénom;Name, Vorname, Ort\n{TO};Zoë;x\n".encode()),
    File("a line break in another name", f'to,prénom,"Last\nname"\n{TO},Zoë,x\n'.encode(), (3,)),
    File("a line break in the name", f'to,"pré\nnom"\n{TO},Zoë\n'.replace("pré\nnom", "prénom\n").encode(), (3,)),
]


@pytest.mark.parametrize("file", OFFICE_FILES, ids=[file.why for file in OFFICE_FILES])
def test_what_offices_make(file: File) -> None:
    records = read(file.raw, "prénom", **file.form)
    assert [line for line, _ in records] == list(file.lines)
    assert [(record["to"], record["prénom"]) for _, record in records] == [(TO, "Zoë")]


@pytest.mark.parametrize(
    ("raw", "mapping", "record", "why"),
    [
        (
            f'"Name, Vorname";Mobil\n"Muster, Max";{TO}\n',
            {"to": "Mobil", "n": "Name, Vorname"},
            {"Mobil": TO, "Name, Vorname": "Muster, Max"},
            "a quoted name with the other delimiter (PapaParse#658)",
        ),
        (
            f'to,"First\nname"\n{TO},Ann\n',
            {"n": "First name"},
            {"to": TO, "First name": "Ann"},
            "a line break in a header cell (pgloader#1400)",
        ),
        (
            f"Mobil;Name;;\n{TO};Ann;;\n",
            {"to": "Mobil", "n": "Name"},
            {"Mobil": TO, "Name": "Ann"},
            "a header that ends in delimiters",
        ),
        (
            f"to;first\u00a0name\n{TO};Ann\n",
            {"n": "first name"},
            {"to": TO, "first name": "Ann"},
            "a no-break space in a name",
        ),
        (
            f"to;first name\n{TO};Ann\n",
            {"n": "first\u00a0name"},
            {"to": TO, "first\u00a0name": "Ann"},
            "or in the mapping",
        ),
        (
            f'to,n\n{TO},"over\ntwo lines"\n',
            {},
            {"to": TO, "n": "over\ntwo lines"},
            "a line break in a value",
        ),
        (f"to\n{TO}\n", {}, {"to": TO}, "one column alone"),
        (f"to,key,n\n{TO},  ,x\n", {}, {"to": TO, "key": None, "n": "x"}, "a blank key is none"),
    ],
)
def test_which_columns(raw: str, mapping: dict[str, str], record: dict[str, Any], why: str) -> None:
    names = [name for name in ("n",) if name in mapping or ",n" in raw]
    [(_, found)] = read(raw.encode(), *names, mapping=mapping)
    assert found == record, why


def test_the_line_is_that_of_the_file() -> None:
    raw = f'to,n\n\n{TO},"a\nb\nc"\n,\n{OTHER},x,too,many\n{TO},z\n'
    assert [(line, isinstance(record, RecordProblem)) for line, record in read(raw.encode())] == [
        (3, False),
        (7, True),
        (8, False),
    ]


def test_the_line_of_ndjson_counts_empty_ones() -> None:
    raw = b'\xef\xbb\xbf\n{"to": "a"}\n\n[]\n'
    assert [line for line, _ in read(raw, format="ndjson")] == [2, 4]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-8-sig"])
def test_ndjson_in_other_encodings(encoding: str) -> None:
    [(line, record)] = read('{"to": "Zoë"}\n'.encode(encoding), format="ndjson")
    assert (line, record) == (1, {"to": "Zoë"})


MANY = dict.fromkeys((f"c{number}" for number in range(20_000)), "")


@pytest.mark.parametrize(
    ("form", "raw"),
    [
        ("csv", f"{','.join(MANY)},to\n,{TO}\n"),
        ("ndjson", json.dumps({"to": TO, "a": ":", **MANY})),
    ],
)
def test_many_names_take_no_time(form: str, raw: str) -> None:
    """Comparing each name with each took eleven seconds, in which the node answered no other request."""
    begun = time.perf_counter()
    assert len(read(raw.encode(), format=form)) == 1
    assert time.perf_counter() - begun < 3


def test_compressed_and_large() -> None:
    raw = gzip.compress(
        f"to;n\r\n{''.join(f'{TO};{number}' + chr(13) + chr(10) for number in range(20_000))}".encode("utf-16")
    )
    records = read(raw, "n", compressed=True)
    assert len(records) == 20_000
    assert records[-1] == (20_001, {"to": TO, "n": "19999"})


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("windows-1252", "cp1252"),
        ("Windows-1252", "cp1252"),
        ("cp1250", "cp1250"),
        ("ISO-8859-15", "iso8859-15"),
        ("latin1", "iso8859-1"),
        ("UTF-8", "utf-8"),
        ("utf8", "utf-8"),
        ("macintosh", "mac-roman"),
        ("shift_jis", "shift_jis"),
        ("GB18030", "gb18030"),
    ],
)
def test_charsets(name: str, found: str) -> None:
    assert find_charset(name, "charset") == found


@pytest.mark.parametrize("name", ["", "klingon", "rot13", "idna", "unicode_escape", "hex", "utf-7", "cp9999", "../x"])
def test_what_is_no_charset(name: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^charset: .* is an unknown charset"):
        find_charset(name, "charset")


CELLS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8).filter(str.strip)


@given(st.lists(CELLS, min_size=2, max_size=2), st.sampled_from(list(DELIMITERS.values())))
def test_any_cell_survives_a_spreadsheet(cells: list[str], mark: str) -> None:
    quoted = mark.join('"{}"'.format(cell.replace('"', '""')) for cell in cells)
    [(line, record)] = read(f"to{mark}who\n{quoted}\n".encode(), "who")
    assert (line, record) == (2, dict(zip(("to", "who"), cells, strict=True)))


@given(st.binary(max_size=200) | st.text(alphabet='to,;|\t"\r\n\ufeffsep= \u200b', max_size=60).map(str.encode))
def test_any_file_is_read_or_refused(raw: bytes) -> None:
    for form in ("csv", "ndjson"):
        with suppress(InvalidRequest):
            read(raw, format=form)
