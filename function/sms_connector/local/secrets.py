"""Secrets as files: a folder of one's own with one file per secret, or the volumes that Secret Manager mounts."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from pathlib import Path

from sms_connector.errors import NotSent
from sms_connector.ports import Clock, Secret

MAX_AGE_SECONDS = 30.0
# An operator who writes a missing secret waits for it.
ABSENT_SECONDS = 5.0


class FileSecrets:
    """`ports.SecretSource` on a folder, with a cache of `max_age` seconds; an absent secret is looked up again after 5.

    A secret `name` is the first of these that is a file:

    - `folder/name`: a folder of one's own;
    - `folder/name/name`: a mounted volume (each secret needs a directory of its own, as a mount hides what is below
      it);
    - `folder/name/latest`: a mounted volume whose path is the version's name.

    A file is opened once and read whole: one that is replaced by rename, or by the platform's mount, is seen old or
    new, never mixed.
    """

    def __init__(self, folder: str | Path, *, clock: Clock, max_age: float = MAX_AGE_SECONDS) -> None:
        self._folder = Path(folder)
        self._clock = clock
        self._max_age = max_age
        self._cache: dict[str, tuple[float, Secret | None]] = {}

    def get(self, name: str) -> Secret | None:
        now = self._clock.monotonic()
        kept = self._cache.get(name)
        if kept and now - kept[0] < (self._max_age if kept[1] else min(self._max_age, ABSENT_SECONDS)):
            return kept[1]
        value = self._read(name, kept[1] if kept else None)
        self._cache[name] = (now, value)
        return value

    def refresh(self) -> None:
        self._cache = {name: (-inf, value) for name, (_, value) in list(self._cache.items())}

    def where(self, name: str) -> str:
        return str(self._folder / name)

    def _read(self, name: str, known: Secret | None) -> Secret | None:
        if not name or "/" in name or name.startswith("."):
            raise ValueError(f"{name!r} can't be the name of a secret")
        for place in (self._folder / name, self._folder / name / name, self._folder / name / "latest"):
            try:
                # The check of its form refuses what is not UTF-8, with its place.
                text = place.read_text(encoding="utf-8", errors="replace")
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                continue
            except OSError as error:
                # A mounted volume asks Secret Manager when it is read: a failure to answer changes no secret.
                if known is None:
                    raise NotSent(f"secret {name} can't be read at {place}: {error.strerror}") from None
                return known
            return Secret(text.removesuffix("\n").removesuffix("\r")) or None
        return None


class FolderVersions:
    """`ports.SecretVersions` on a folder of one's own: the newest version is `folder/name`, earlier ones are kept
    beside it as `folder/.versions/name/number` until they are disabled."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)

    def read(self, name: str, number: int | None = None) -> Secret | None:
        earlier = self._earlier(name)
        is_newest = number is None or number == max(earlier, default=0) + 1
        place = self._folder / name if is_newest else earlier.get(number or 0)
        if place is None or not place.is_file():
            return None
        return Secret(place.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")) or None

    def numbers(self, name: str) -> Sequence[int]:
        earlier = self._earlier(name)
        newest = [max(earlier, default=0) + 1] if (self._folder / name).is_file() else []
        return [*newest, *sorted((number for number, place in earlier.items() if place.stat().st_size), reverse=True)]

    def add(self, name: str, value: Secret) -> None:
        place, kept = self._folder / name, self._folder / ".versions" / name
        if place.is_file():
            kept.mkdir(parents=True, exist_ok=True)
            _replace(kept / str(max(self._earlier(name), default=0) + 1), place.read_text(encoding="utf-8"))
        _replace(place, value)

    def disable(self, name: str, number: int) -> None:
        if (place := self._earlier(name).get(number)) is not None:
            _replace(place, "")  # the file keeps its number from being given again

    def _earlier(self, name: str) -> dict[int, Path]:
        kept = self._folder / ".versions" / name
        return {int(place.name): place for place in kept.iterdir() if place.name.isdigit()} if kept.is_dir() else {}


def _replace(place: Path, text: str) -> None:
    """Write a file so that a reader sees the old or the new one, for its owner's eyes."""
    new = place.with_name(f".{place.name}.new")
    new.touch(mode=0o600)
    new.write_text(text, encoding="utf-8")
    new.replace(place)
