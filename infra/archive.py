"""The functions' archive: an explicit, sorted list of files, the same bytes on every machine, named by its digest.

Entries are stored, not compressed: two versions of a compressor give two archives, and a difference here means a
deployment.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

REQUIRED = ("main.py", "requirements.txt")
SUFFIXES = frozenset({".py", ".txt", ".json", ".typed", ".pem", ".csv", ".html"})
EXCLUDED_FOLDERS = frozenset({"__pycache__", "tests", "test", "venv", "build", "dist", "node_modules"})
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip entry can have


class ArchiveError(Exception):
    """The folder can't be made into an archive; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Archive:
    """`digest` is over names and contents, `data` the zip file."""

    digest: str
    data: bytes
    names: tuple[str, ...]

    @property
    def object_name(self) -> str:
        return f"source-{self.digest[:32]}.zip"

    def write(self, folder: Path) -> Path:
        """Puts the file where the engine can read it; a file of that name holds the same bytes, so it is left alone."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / self.object_name
        if not path.exists():
            partial = path.with_suffix(f".{os.getpid()}")
            partial.write_bytes(self.data)
            partial.replace(path)
        return path


def build(folder: Path) -> Archive:
    """Return the archive of a function folder. Raises ArchiveError where an entry point or the requirements are
    missing."""
    missing = [name for name in REQUIRED if not (folder / name).is_file()]
    if missing:
        raise ArchiveError(
            f"{folder.name}/ lacks {' and '.join(missing)}: run from a complete checkout of the repository"
        )
    names = source_files(folder)
    contents = {name: (folder / name).read_bytes() for name in names}
    return Archive(_digest(contents), _zipped(contents), tuple(names))


def source_files(folder: Path) -> list[str]:
    """Return what goes in, sorted: files with a known suffix, outside hidden and excluded folders, no links, no test
    files."""
    found = []
    for root, folders, files in os.walk(folder):
        folders[:] = [f for f in folders if f not in EXCLUDED_FOLDERS and not f.startswith(".")]
        found += [Path(root, name) for name in files if _belongs(Path(root, name))]
    return sorted(str(PurePosixPath(path.relative_to(folder))) for path in found)


def _belongs(path: Path) -> bool:
    test = path.name.startswith("test_") or path.name in ("conftest.py", "requirements-dev.txt")
    return path.suffix in SUFFIXES and not path.name.startswith(".") and not path.is_symlink() and not test


def _digest(contents: dict[str, bytes]) -> str:
    whole = hashlib.sha256()
    for name, data in contents.items():
        whole.update(f"{name}\0{len(data)}\0".encode() + data)
    return whole.hexdigest()


def _zipped(contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in contents.items():
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3  # Unix, wherever it is built
            archive.writestr(entry, data)
    return buffer.getvalue()
