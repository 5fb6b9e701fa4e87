"""A file on its way: as it is, packed, the same bytes each time."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from cli.errors import Misused
from cli.upload import content_type_of, packed

TEXT = "Vorname;mobile\nZoë;+15558675310\nŁukasz;+15558675311\n"


def sent(path: Path) -> bytes:
    with packed(path, content_type_of(path)) as upload:
        upload.file.seek(0)
        raw = upload.file.read()
        assert len(raw) == upload.size
        return raw


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1250"])
def test_it_arrives_as_it_is(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "customers.csv"
    file.write_text(TEXT, encoding=encoding)
    assert gzip.decompress(sent(file)) == file.read_bytes()


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


@pytest.mark.parametrize(("name", "words"), [("a.xlsx", r"has to end in \.csv"), ("missing.csv", "No such file")])
def test_what_can_not_be_sent_is_told(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(Misused, match=words):
        sent(tmp_path / name)
