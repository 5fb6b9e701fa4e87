"""Secrets as files: where they are looked for, how they are read, how long they are kept."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sms_connector.errors import NotSent
from sms_connector.local.secrets import FileSecrets
from sms_connector.ports import Secret
from tests.fixtures.clocks import FakeClock


@pytest.fixture
def secrets(tmp_path: Path) -> FileSecrets:
    return FileSecrets(tmp_path, clock=FakeClock())


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


PLACES = [
    pytest.param("auth-token", id="one file per secret"),
    pytest.param("auth-token/auth-token", id="a volume mounted with the secret's name as path"),
    pytest.param("auth-token/latest", id="a volume mounted with the version's name as path"),
]


@pytest.mark.parametrize("place", PLACES)
def test_where_a_secret_may_be(secrets: FileSecrets, tmp_path: Path, place: str) -> None:
    write(tmp_path / place, b"one\n")
    assert secrets.get("auth-token") == "one"


CONTENTS = [
    pytest.param(b"one", "one", id="as it is"),
    pytest.param(b"one\n", "one", id="with the newline an editor adds"),
    pytest.param(b"one\r\n", "one", id="with the newline another editor adds"),
    pytest.param(b" one \n\n", " one \n", id="one newline only, no blanks: they may belong to it"),
    pytest.param("geheimnis-ü".encode(), "geheimnis-ü", id="not ASCII"),
    pytest.param(b"\xffone", "�one", id="not UTF-8: a value of the wrong form, not a failure"),
    pytest.param(b"", None, id="empty: not there yet"),
    pytest.param(b"\n", None, id="an empty line: not there yet"),
]


@pytest.mark.parametrize(("content", "value"), CONTENTS)
def test_what_a_file_says(secrets: FileSecrets, tmp_path: Path, content: bytes, value: str | None) -> None:
    write(tmp_path / "auth-token", content)
    assert secrets.get("auth-token") == value


def test_a_secret_that_is_not_there(secrets: FileSecrets, tmp_path: Path) -> None:
    (tmp_path / "empty-volume").mkdir()
    assert secrets.get("auth-token") is None
    assert secrets.get("empty-volume") is None
    assert secrets.where("auth-token") == str(tmp_path / "auth-token")


def test_a_new_value_is_seen_within_the_age_and_at_once_after_refresh(tmp_path: Path) -> None:
    clock = FakeClock()
    secrets = FileSecrets(tmp_path, clock=clock)
    write(tmp_path / "auth-token", b"one")
    assert secrets.get("auth-token") == "one"
    write(tmp_path / "new", b"two")
    os.replace(tmp_path / "new", tmp_path / "auth-token")
    clock.now += 29
    assert secrets.get("auth-token") == "one"
    clock.now += 1
    assert secrets.get("auth-token") == "two"
    write(tmp_path / "auth-token", b"three")
    secrets.refresh()
    assert secrets.get("auth-token") == "three"


def test_absence_is_kept_too_and_a_late_secret_found(tmp_path: Path) -> None:
    clock = FakeClock()
    secrets = FileSecrets(tmp_path, clock=clock)
    assert secrets.get("auth-token") is None
    write(tmp_path / "auth-token", b"one")
    clock.now += 5
    assert secrets.get("auth-token") == "one"


def test_a_file_that_cant_be_read_now_leaves_the_known_value(tmp_path: Path) -> None:
    clock = FakeClock()
    secrets = FileSecrets(tmp_path, clock=clock)
    write(tmp_path / "auth-token", b"one")
    assert secrets.get("auth-token") == "one"
    (tmp_path / "auth-token").unlink()
    (tmp_path / "auth-token").symlink_to("auth-token")  # reading a loop fails with an error of its own
    secrets.refresh()
    assert secrets.get("auth-token") == "one"
    clock.now += 30
    assert secrets.get("auth-token") == "one"


def test_a_secret_that_cant_be_read_is_not_an_absent_one(tmp_path: Path) -> None:
    (tmp_path / "auth-token").symlink_to("auth-token")
    secrets = FileSecrets(tmp_path, clock=FakeClock())
    with pytest.raises(NotSent, match=f"auth-token can't be read at {tmp_path}"):
        secrets.get("auth-token")
    (tmp_path / "auth-token").unlink()
    write(tmp_path / "auth-token", b"one")
    assert secrets.get("auth-token") == "one", "a failure is not kept"


@pytest.mark.parametrize("name", ["", "../other", "a/b", ".hidden"])
def test_a_name_stays_in_the_folder(secrets: FileSecrets, name: str) -> None:
    with pytest.raises(ValueError, match="can't be the name of a secret"):
        secrets.get(name)


def test_a_secret_shows_itself_to_nobody(secrets: FileSecrets, tmp_path: Path) -> None:
    write(tmp_path / "auth-token", b"one")
    value = secrets.get("auth-token")
    assert isinstance(value, Secret)
    assert "one" not in repr({"token": value})
