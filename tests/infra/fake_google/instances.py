"""What the platform gives an instance: a version of Python, variables, and memory up to a limit."""

from __future__ import annotations

import functools
import os
import re
import stat
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

# Those that can be deployed: https://cloud.google.com/functions/docs/runtime-support#python (older ones are decommissioned).
RUNTIMES = frozenset({"python310", "python311", "python312", "python313", "python314"})
UNITS = {"": 1, "K": 10**3, "Ki": 2**10, "M": 10**6, "Mi": 2**20, "G": 10**9, "Gi": 2**30}
PROC = Path("/proc")


def size(quantity: str) -> int:
    """The bytes of a quantity as Kubernetes writes them (`512Mi`)."""
    number, unit = re.fullmatch(r"([\d.]+)(\w*)", quantity).groups()  # type: ignore[union-attr]  # as declared
    return int(float(number) * UNITS[unit])


@functools.cache
def interpreter(runtime: str) -> str:
    """The interpreter of a runtime. Where this machine has none of that version: ours, with a warning."""
    wanted = f"python3.{runtime.removeprefix('python3')}"
    try:
        asked = subprocess.run([wanted, "-c", "import sys; print(sys.executable)"], capture_output=True, check=True)
        return asked.stdout.decode().strip()
    except (OSError, subprocess.CalledProcessError):
        ours = f"{sys.version_info.major}.{sys.version_info.minor}"
        warnings.warn(f"no {wanted} on the PATH: what is deployed for {runtime} runs on Python {ours}", stacklevel=2)
        return sys.executable


def platform_variables(service: str, revision: str, *, target: str, port: int) -> dict[str, str]:
    """Variables that the platform sets, and that no deployment can.

    https://cloud.google.com/functions/docs/configuring/env-var#runtime_environment_variables_set_automatically and
    https://cloud.google.com/run/docs/container-contract#env-vars
    """
    return {
        "FUNCTION_TARGET": target,
        "FUNCTION_SIGNATURE_TYPE": "http",
        "K_SERVICE": service,
        "K_CONFIGURATION": service,
        "K_REVISION": revision,
        "PORT": str(port),
    }


def memory_of(process: int, disk: Path) -> int:
    """The bytes that an instance holds: those of its processes, what they share counted once, and those of the files in `disk`, which
    is memory too (https://cloud.google.com/run/docs/container-contract#filesystem)."""
    files = {found.stat().st_ino: found.stat().st_blocks for found in disk.rglob("*") if found.is_file()}
    used = 0
    for member in _family(process):
        used += _share(member)
        files |= dict(_open_files(member, disk))
    return used + sum(files.values()) * 512


def _family(process: int) -> Iterator[int]:
    """The process and its descendants, those that are there."""
    yield process
    for children in PROC.glob(f"{process}/task/*/children"):
        for child in _read(children).split():
            yield from _family(int(child))


def _share(process: int) -> int:
    found = re.search(r"^Pss: +(\d+) kB", _read(PROC / str(process) / "smaps_rollup"), re.M)
    return int(found[1]) * 1024 if found else 0


def _open_files(process: int, disk: Path) -> Iterator[tuple[int, int]]:
    """Files that are open, deleted ones among them: temporary files are."""
    for descriptor in (PROC / str(process) / "fd").glob("*"):
        try:
            if os.readlink(descriptor).startswith(f"{disk}/") and stat.S_ISREG((about := descriptor.stat()).st_mode):
                yield about.st_ino, about.st_blocks
        except OSError:
            continue  # closed meanwhile


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""  # it ended meanwhile
