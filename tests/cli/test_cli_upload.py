"""A campaign's file on its way: UTF-8, packed, the same bytes each time."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from cli.errors import Misused
from cli.upload import PIECE, content_type_of, packed

TEXT = "Vorname;mobile\nZoë;+15558675310\nŁukasz;+15558675311\n"


def sent(path: Path, encoding: str | None = None) -> bytes:
    with packed(path, encoding) as upload:
        upload.file.seek(0)
        raw = upload.file.read()
        assert len(raw) == upload.size
        return raw


@pytest.mark.parametrize(
    ("encoding", "named", "why"),
    [
        ("utf-8", None, "as it is"),
        ("utf-8-sig", None, "with a mark, as spreadsheets write it"),
        ("utf-16", None, "its mark says so"),
        ("utf-16-le", "utf-16-le", "no mark: named"),
        ("cp1250", "cp1250", "nothing in the file tells: named"),
    ],
)
def test_it_arrives_in_utf8(tmp_path: Path, encoding: str, named: str | None, why: str) -> None:
    file = tmp_path / "customers.csv"
    file.write_text(TEXT, encoding=encoding)
    assert gzip.decompress(sent(file, named)).decode() == TEXT, why


def test_a_character_may_lie_across_two_pieces(tmp_path: Path) -> None:
    file = tmp_path / "records.ndjson"
    text = "x" * (PIECE - 1) + "é\n"
    file.write_text(text, encoding="utf-8")
    assert gzip.decompress(sent(file)).decode() == text


def test_the_same_file_gives_the_same_bytes(tmp_path: Path) -> None:
    file, renamed = tmp_path / "customers.csv", tmp_path / "again.csv"
    file.write_text(TEXT, encoding="utf-8")
    renamed.write_text(TEXT, encoding="utf-8")
    assert sent(file) == sent(renamed)


def test_what_is_packed_already_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "customers.csv.gz"
    file.write_bytes(gzip.compress(TEXT.encode()))
    assert sent(file) == file.read_bytes()


def test_an_empty_file_is_for_the_connector_to_judge(tmp_path: Path) -> None:
    file = tmp_path / "customers.csv"
    file.touch()
    assert gzip.decompress(sent(file)) == b""


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.csv", "text/csv"),
        ("A.CSV", "text/csv"),
        ("a.csv.gz", "text/csv"),
        ("a.ndjson", "application/x-ndjson"),
        ("a.jsonl", "application/x-ndjson"),
        ("a.json", "application/json"),
    ],
)
def test_the_name_says_what_it_is(name: str, content_type: str) -> None:
    assert content_type_of(Path(name)) == content_type


@pytest.mark.parametrize(
    ("name", "content", "encoding", "words"),
    [
        ("a.xlsx", b"", None, r"has to end in \.csv"),
        ("missing.csv", None, None, "No such file"),
        ("a.csv", b"to\nZo\xeb\n", None, "line 2: not utf-8; .* --encoding cp1252"),
        ("a.csv", b"to\n", "cp9999", "knows no 'cp9999'"),
    ],
)
def test_what_can_not_be_sent_is_told(
    tmp_path: Path, name: str, content: bytes | None, encoding: str | None, words: str
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(Misused, match=words):
        sent(file, encoding)
