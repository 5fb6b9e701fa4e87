"""Files as people have them: spreadsheets' encodings and delimiters, and what is wrong with a file by its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.errors import Misused
from cli.records import DELIMITERS, read_csv, read_ndjson

ROW = {"to": "+15558675310", "prénom": "Zoë"}
TEXT = "to,prénom\n+15558675310,Zoë\n"


@pytest.mark.parametrize(
    ("raw", "encoding", "why"),
    [
        (TEXT.encode(), None, "plain UTF-8"),
        (TEXT.encode("utf-8-sig"), None, "a spreadsheet's UTF-8 begins with a mark"),
        (TEXT.encode("utf-16"), None, "a spreadsheet's 'Unicode text'"),
        (TEXT.encode("cp1252"), "cp1252", "an old spreadsheet's, named"),
        (TEXT.replace("\n", "\r\n").encode(), None, "line ends of Windows"),
        (TEXT.replace(",", ";").encode(), None, "where the comma is the decimal mark"),
        (TEXT.replace(",", "\t").encode(), None, "tabs"),
        (TEXT.replace(",", "|").encode(), None, "bars"),
        ('"to","prénom"\n"+15558675310","Zoë"\n'.encode(), None, "everything quoted"),
        (" to , prénom \n+15558675310,Zoë\n".encode(), None, "blanks around the names of fields"),
        ((TEXT + "\n,\n").encode(), None, "empty lines at the end"),
    ],
)
def test_csv(tmp_path: Path, raw: bytes, encoding: str | None, why: str) -> None:
    assert read_csv(write(tmp_path, raw), encoding) == [ROW], why


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "is empty"),
        (TEXT.encode("cp1252"), "line 1: not utf-8; save it as UTF-8, or name its encoding"),
        (b"to,who\n+1,Ann,extra\n", "line 2: 3 fields, but the first line names 2"),
        (b"to,to\n", "two fields named 'to'"),
        (b'to\n"+1555\n', "line 2"),
    ],
)
def test_csv_that_is_wrong(tmp_path: Path, raw: bytes, words: str) -> None:
    with pytest.raises(Misused, match=words):
        read_csv(write(tmp_path, raw))


def test_a_short_row_has_empty_fields(tmp_path: Path) -> None:
    assert read_csv(write(tmp_path, b"to,who,order\n+1,Ann\n")) == [{"to": "+1", "who": "Ann", "order": ""}]


@pytest.mark.parametrize("cells", [b"+1,", b"+1,  ", b"+1"], ids=["empty", "blank", "missing"])
def test_a_row_without_a_key_has_none(tmp_path: Path, cells: bytes) -> None:
    rows = read_csv(write(tmp_path, b"to,key\n" + cells + b"\n+2,order-1\n"))
    assert rows == [{"to": "+1", "key": None}, {"to": "+2", "key": "order-1"}]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b'{"to": "+1"}\n{"to"\n', "line 2: not JSON"),
        (b"[1]\n", "line 1: a JSON object is needed"),
        (b"\xff\xfe\x00", "not utf-16"),
    ],
)
def test_ndjson_that_is_wrong(tmp_path: Path, raw: bytes, words: str) -> None:
    with pytest.raises(Misused, match=words):
        read_ndjson(write(tmp_path, raw))


def test_an_unknown_encoding(tmp_path: Path) -> None:
    with pytest.raises(Misused, match="--encoding"):
        read_csv(write(tmp_path, b"to\n"), "klingon")


CELLS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8).filter(str.strip)


@given(st.lists(CELLS, min_size=2, max_size=2), st.sampled_from(DELIMITERS))
def test_any_cell_survives_a_spreadsheet(tmp_path_factory: pytest.TempPathFactory, cells: list[str], mark: str) -> None:
    quoted = mark.join('"{}"'.format(cell.replace('"', '""')) for cell in cells)
    file = write(tmp_path_factory.mktemp("csv"), f"to{mark}who\n{quoted}\n".encode())
    assert read_csv(file) == [dict(zip(("to", "who"), cells, strict=True))]


def write(folder: Path, raw: bytes) -> Path:
    file = folder / "records"
    file.write_bytes(raw)
    return file
