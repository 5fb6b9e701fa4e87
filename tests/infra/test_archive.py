"""The archive: the same bytes everywhere, and nothing in it that isn't the functions'."""

from __future__ import annotations

import io
import os
import subprocess
import zipfile
from pathlib import Path

import pytest

import archive
from tests.infra.harness import ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (
        "main.py",
        "requirements.txt",
        "package/__init__.py",
        "package/b.py",
        "package/a.py",
        "package/x.json",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"# {name}\n")
    return tmp_path


def test_what_goes_in_is_sorted_and_explicit(folder: Path) -> None:
    built = archive.build(folder)
    wanted = ["main.py", "package/__init__.py", "package/a.py", "package/b.py", "package/x.json", "requirements.txt"]
    assert list(built.names) == wanted
    assert zipfile.ZipFile(io.BytesIO(built.data)).namelist() == wanted


@pytest.mark.parametrize(
    ("stray", "why"),
    [
        ("package/__pycache__/a.cpython-312.pyc", "byte-code of a test run"),
        ("package/a.pyc", "byte-code beside the source"),
        ("tests/test_a.py", "tests"),
        ("package/test_a.py", "a test beside the source"),
        ("package/conftest.py", "pytest's"),
        (".env", "hidden files may hold secrets"),
        (".venv/lib/x.py", "an environment"),
        ("venv/lib/x.py", "an environment by another name"),
        ("secrets/auth-token", "a file without a suffix is no source"),
        ("package/notes.md", "prose"),
        ("build/x.py", "products of a build"),
    ],
)
def test_what_stays_out(folder: Path, stray: str, why: str) -> None:
    before = archive.build(folder)
    (folder / stray).parent.mkdir(parents=True, exist_ok=True)
    (folder / stray).write_text("stray")
    assert archive.build(folder) == before, why


def test_times_owners_and_modes_of_files_play_no_part(folder: Path) -> None:
    before = archive.build(folder)
    os.utime(folder / "main.py", (1, 1))
    (folder / "main.py").chmod(0o600)
    assert archive.build(folder) == before


def test_links_stay_out(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "private.py"
    elsewhere.write_text("# not ours")
    (folder / "package" / "link.py").symlink_to(elsewhere)
    assert "package/link.py" not in archive.build(folder).names


@pytest.mark.parametrize("change", ["content", "name"])
def test_each_change_has_a_digest_of_its_own(folder: Path, change: str) -> None:
    before = archive.build(folder)
    if change == "content":
        (folder / "package" / "a.py").write_text("changed")
    else:
        (folder / "package" / "a.py").rename(folder / "package" / "c.py")
    after = archive.build(folder)
    assert after.digest != before.digest
    assert after.object_name != before.object_name


def test_an_incomplete_checkout_is_refused(folder: Path) -> None:
    (folder / "main.py").unlink()
    with pytest.raises(archive.ArchiveError, match=r"lacks main\.py"):
        archive.build(folder)


def test_writing_twice_leaves_the_file_alone(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    target = tmp_path_factory.mktemp("build")
    built = archive.build(folder)
    path = built.write(target)
    stamp = path.stat().st_mtime_ns
    assert built.write(target) == path
    assert path.stat().st_mtime_ns == stamp
    assert path.read_bytes() == built.data
    assert [p.name for p in target.iterdir()] == [built.object_name]


def test_all_that_is_tracked_below_function_is_deployed() -> None:
    """A file that git knows and the archive leaves out would be missing in the cloud and nowhere else."""
    listed = subprocess.run(["git", "ls-files", "function"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout: nothing says which files are tracked")
    tracked = {name.removeprefix("function/") for name in listed.stdout.split() if (ROOT / name).is_file()}
    assert tracked <= set(archive.source_files(ROOT / "function")) | {".gcloudignore", "requirements.in"}
