"""What every source of objects promises (`ports.ObjectSource`)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client

from sms_connector.cloud.objects import BucketObjects
from sms_connector.errors import InvalidRequest
from sms_connector.local.objects import FileObjects
from sms_connector.ports import ObjectSource
from tests.fixtures.storage_fake import FakeStorage, serving_storage


@dataclass
class Shelf:
    """A source, a way to put objects into it, and how it calls them."""

    source: ObjectSource
    put: Any
    prefix: str


@pytest.fixture
def file_shelf(tmp_path: Path) -> Shelf:
    folder = tmp_path / "inputs"

    def put(name: str, content: bytes) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "new").write_bytes(content)
        os.replace(folder / "new", folder / name)

    put("any", b"")
    return Shelf(FileObjects(folder), put, "file:")


@pytest.fixture
def storage() -> FakeStorage:
    return FakeStorage()


@pytest.fixture
def bucket_shelf(storage: FakeStorage) -> Iterator[Shelf]:
    with serving_storage(storage) as address:
        anonymous = AnonymousCredentials()  # type: ignore[no-untyped-call] # google-auth has no types here
        client = Client(project="p", credentials=anonymous, client_options={"api_endpoint": address})
        yield Shelf(
            BucketObjects(lambda: client), lambda name, content: storage.put("inputs", name, content), "gs://inputs/"
        )
        client.close()


@pytest.fixture(params=["file", "bucket"])
def shelf(request: pytest.FixtureRequest) -> Shelf:
    adapter: Shelf = request.getfixturevalue(f"{request.param}_shelf")
    return adapter


CONTENTS = [
    pytest.param(b"to,name\n+15558675310,Ann\n+15558675311,B\xc3\xa9la", id="lines, the last without its end"),
    pytest.param(b"", id="empty"),
    pytest.param(b"x" * 20_000_000 + b"\n" + b"y" * 100, id="larger than a piece"),
    pytest.param(b"\x1f\x8b\x00\xff\r\n\r", id="bytes as they are"),
]


@pytest.mark.parametrize("content", CONTENTS)
def test_an_object_is_read_as_lines_or_whole(shelf: Shelf, content: bytes) -> None:
    shelf.put("2026/batch ü.csv", content)
    with shelf.source.open_lines(f"{shelf.prefix}2026/batch ü.csv") as stream:
        assert list(stream) == content.splitlines(keepends=True) if b"\r" not in content else stream.read() == content
    with shelf.source.open_lines(f"{shelf.prefix}2026/batch ü.csv") as stream:
        assert stream.read(5) + stream.read() == content


def test_an_object_that_is_replaced_while_it_is_read_stays_what_it_was(shelf: Shelf) -> None:
    content = b"".join(b"%07d\n" % n for n in range(2_500_000))
    shelf.put("batch.csv", content)
    with shelf.source.open_lines(f"{shelf.prefix}batch.csv") as stream:
        first = stream.readline()
        shelf.put("batch.csv", b"other\n")
        assert first + stream.read() == content
    with shelf.source.open_lines(f"{shelf.prefix}batch.csv") as stream:
        assert stream.read() == b"other\n"


ADDRESSES = [
    pytest.param("{prefix}nothing.csv", id="nothing there"),
    pytest.param("{prefix}", id="no name"),
    pytest.param("batch.csv", id="no scheme"),
    pytest.param("https://example.com/batch.csv", id="another scheme"),
    pytest.param("", id="empty"),
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_what_cannot_be_read_is_the_callers_to_mend(shelf: Shelf, address: str) -> None:
    with (
        pytest.raises(InvalidRequest) as refusal,
        shelf.source.open_lines(address.format(prefix=shelf.prefix)),
    ):
        pass
    assert [problem.field for problem in refusal.value.problems] == ["source"]


OUTSIDE = [
    pytest.param("file:../outside.csv", id="upwards"),
    pytest.param("file:%2e%2e/outside.csv", id="upwards, encoded"),
    pytest.param("file:sub/../../outside.csv", id="down and upwards"),
    pytest.param("file:link.csv", id="a link to a file outside"),
    pytest.param("file:linked/outside.csv", id="a link to a folder outside"),
    pytest.param("file://{outside}", id="an absolute path"),
    pytest.param("file:.", id="the folder itself"),
    pytest.param("file:pipe", id="no plain file"),
]


@pytest.mark.parametrize("address", OUTSIDE)
def test_nothing_outside_the_folder_is_opened(file_shelf: Shelf, tmp_path: Path, address: str) -> None:
    outside, folder = tmp_path / "outside.csv", tmp_path / "inputs"
    outside.write_text("private")
    (folder / "sub").mkdir()
    (folder / "link.csv").symlink_to(outside)
    (folder / "linked").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    with pytest.raises(InvalidRequest, match="no file"), file_shelf.source.open_lines(address.format(outside=outside)):
        pass


def test_inside_the_folder_absolute_paths_and_links_are_fine(file_shelf: Shelf, tmp_path: Path) -> None:
    file_shelf.put("batch.csv", b"inside")
    (tmp_path / "inputs" / "today.csv").symlink_to("batch.csv")
    for address in (f"file://{tmp_path}/inputs/batch.csv", "file:today.csv", "file:./batch.csv"):
        with file_shelf.source.open_lines(address) as stream:
            assert stream.read() == b"inside"


def test_a_bucket_that_may_not_be_read_tells_what_to_set(bucket_shelf: Shelf, storage: FakeStorage) -> None:
    storage.forbidden.add("inputs")
    with pytest.raises(InvalidRequest, match=r"campaigns\.buckets"), bucket_shelf.source.open_lines("gs://inputs/a"):
        pass


def test_an_object_is_fetched_in_pieces(bucket_shelf: Shelf, storage: FakeStorage) -> None:
    storage.put("inputs", "large", b"x" * 20_000_000)
    with bucket_shelf.source.open_lines("gs://inputs/large") as stream:
        stream.read(10)
        assert storage.media_requests == 1
        stream.read()
    assert storage.media_requests >= 3
