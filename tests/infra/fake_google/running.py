"""What was deployed really runs: a function is unpacked from its archive and served by functions-framework, as declared.

Each service has a front door that stands for the platform's: it checks the identity token and the invoker grants, and hands the
request on. What only the platform can give is stood in for, and nothing else of the declaration is changed:

- `https://<service>-<number>.<region>.run.app` is where the door listens (as DNS would say), in every variable that names it;
- mount paths and the disk lie below the service's own folder (as a container's root would);
- `FIRESTORE_EMULATOR_HOST` and whatever else `extra` holds leads to emulators;
- certificates of front doors are of the `authority`.

An instance that holds more memory than declared is killed, and another one takes its place.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.fixtures.certificates import Authority
from tests.infra.fake_google.front_door import FrontDoor
from tests.infra.fake_google.instances import interpreter, memory_of, platform_variables

START_SECONDS = 60.0
AT_ONCE = 3  # starts; each takes a processor for some seconds
MEASURED_EVERY = 0.2
PREDICTABLE = re.compile(r"https://([a-z0-9-]+)-\d{12}\.[a-z0-9-]+\.run\.app")
MayCall = Callable[[str, str | None], bool]  # (service, e-mail or None for nobody): does a grant say so?


@dataclass(frozen=True)
class Declaration:
    """A function as its resource declares it. `mounts` maps a file's path to the key of the secret behind it; `memory` is in bytes."""

    name: str
    runtime: str
    entry_point: str
    memory: int
    environment: Mapping[str, str]
    mounts: Mapping[str, str]
    archive: bytes


@dataclass
class Served:
    """A running service: its door stays the same over its revisions."""

    door: FrontDoor
    folder: Path
    declaration: Declaration | None = None
    process: subprocess.Popen[bytes] | None = None


class StartFailed(Exception):
    """The container did not start; the message is the end of its log."""


@dataclass
class Runner:
    """Starts and stops services below `folder`. `secret` gives the latest enabled payload of a secret's key, None without one.

    `environments` is where the archives' environments are kept; runners, also of other processes, may share it.
    """

    folder: Path
    may_call: MayCall
    secret: Callable[[str], bytes | None]
    authority: Authority
    extra: Mapping[str, str] = field(default_factory=dict)
    environments: Path | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)
    served: dict[str, Served] = field(default_factory=dict)
    starts: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(AT_ONCE))

    def address(self, name: str) -> str:
        """Where a service is reached, whether or not it was deployed yet."""
        with self.lock:
            if name not in self.served:
                door = FrontDoor(lambda email: self.may_call(name, email), self.authority.server_context())
                self.served[name] = Served(door, self.folder / name)
            return self.served[name].door.address

    def deploy(self, declaration: Declaration) -> str:
        """Replaces the service's revision. Raises StartFailed, and keeps the old revision, where the new one doesn't start."""
        address = self.address(declaration.name)
        service = self.served[declaration.name]
        revision = service.folder / hashlib.sha256(os.urandom(8)).hexdigest()[:8]
        with zipfile.ZipFile(io.BytesIO(declaration.archive)) as archive:
            archive.extractall(revision / "source")
        service.declaration = declaration
        self.refresh_secrets(declaration.name)
        old = service.process
        with self.starts:
            self._run(service, declaration, revision)
        _end(old)
        return address

    def _run(self, service: Served, declaration: Declaration, revision: Path) -> None:
        service.process, service.door.backend = self._start(declaration, revision, service.folder)
        watched = (service, declaration, revision, service.process)
        threading.Thread(target=self._limit_memory, args=watched, daemon=True).start()

    def _limit_memory(
        self, service: Served, declaration: Declaration, revision: Path, process: subprocess.Popen[bytes]
    ) -> None:
        """Kill the instance where it holds more than declared, and start another one."""
        while process.poll() is None:
            used = memory_of(process.pid, service.folder / "tmp")
            if used > declaration.memory:
                with (revision / "log").open("a") as log:
                    log.write(f"Memory limit of {declaration.memory >> 20} MiB exceeded with {used >> 20} MiB used.\n")
                _end(process)
                with self.lock:
                    if self.served.get(declaration.name) is service and service.process is process:
                        self._run(service, declaration, revision)
                return
            time.sleep(MEASURED_EVERY)

    def refresh_secrets(self, name: str | None = None) -> None:
        """Writes the secret files anew, as a mount of `latest` shows a new version."""
        for service in [self.served[name]] if name else list(self.served.values()):
            for path, key in service.declaration.mounts.items() if service.declaration else ():
                file = service.folder / "root" / path.lstrip("/")
                file.parent.mkdir(parents=True, exist_ok=True)
                value = self.secret(key)
                if value is None:
                    file.unlink(missing_ok=True)
                else:
                    partial = file.with_suffix(".partial")
                    partial.write_bytes(value)
                    partial.replace(file)

    def remove(self, name: str) -> None:
        with self.lock:
            service = self.served.pop(name, None)
        if service:
            _end(service.process)
            service.door.close()
            shutil.rmtree(service.folder, ignore_errors=True)

    def close(self) -> None:
        for name in list(self.served):
            self.remove(name)

    def log(self, name: str) -> str:
        """What the newest revision wrote."""
        logs = sorted(self.served[name].folder.glob("*/log"), key=lambda path: path.stat().st_mtime)
        return logs[-1].read_text(errors="replace") if logs else ""

    def _start(self, declaration: Declaration, revision: Path, folder: Path) -> tuple[subprocess.Popen[bytes], int]:
        port, log = free_port(), revision / "log"
        python = self._environment_of(declaration.runtime, revision / "source" / "requirements.txt")
        command = [str(python.parent / "functions-framework"), "--source", str(revision / "source" / "main.py")]
        command += ["--target", declaration.entry_point, "--host", "127.0.0.1", "--port", str(port)]
        (folder / "tmp").mkdir(exist_ok=True)
        own = platform_variables(declaration.name, revision.name, target=declaration.entry_point, port=port)
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                env=self._variables(declaration, folder, python) | own,
                cwd=revision / "source",
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if not _listens(process, port):
            _end(process)
            raise StartFailed(log.read_text(errors="replace")[-2000:])
        return process, port

    def _variables(self, declaration: Declaration, folder: Path, python: Path) -> dict[str, str]:
        declared = {key: self.resolved(value) for key, value in declaration.environment.items()}
        roots = {mount.split("/")[1] for mount in declaration.mounts}
        for root in roots:
            declared = {k: re.sub(rf"^/{root}(?=/|$)", f"{folder}/root/{root}", v) for k, v in declared.items()}
        machine = {"PATH": f"{python.parent}:/usr/bin:/bin", "HOME": str(folder), "TMPDIR": str(folder / "tmp")}
        return {**machine, **declared, **self.extra}

    def resolved(self, value: str) -> str:
        return PREDICTABLE.sub(lambda found: self.address(found[1]), value)

    def prepare(self, runtime: str, requirements: Path) -> None:
        """Make the environment that archives with these requirements will need: it takes longer than calls wait."""
        self._environment_of(runtime, requirements)

    def _environment_of(self, runtime: str, requirements: Path) -> Path:
        """An environment made from the archive's requirements and nothing else; one for all archives that say the same."""
        kept = self.environments or self.folder
        place = kept / f"{runtime}-{hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]}"
        python = place / "bin" / "python"
        with self.lock, _locked(place.with_suffix(".lock")):
            if not (place / "ready").exists():
                subprocess.run([interpreter(runtime), "-m", "venv", "--clear", place], check=True, stdout=sys.stderr)
                install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", requirements]
                subprocess.run(install, check=True, stdout=sys.stderr)
                (place / "ready").touch()
        return python


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """While it holds no other process gets it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _listens(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return True
        time.sleep(0.05)
    return False


def _end(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
