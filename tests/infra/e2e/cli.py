"""The real command and plugin on a file backend, with nothing but loopback in reach."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.infra.fake_google.http import FakeGoogle, config_of
from tests.infra.harness import ROOT

PROGRAMS = ("pulumi", "pulumi-language-python", "pulumi-resource-gcp")
# Much of an update is the provider's own waiting (ten seconds an account), which needs no processor.
AT_ONCE = ("--yes", "--skip-preview", "--parallel=64")


def missing() -> str | None:
    """Why the real command can't run here, None if it can."""
    absent = [program for program in PROGRAMS if not shutil.which(program)]
    return f"not on the PATH: {', '.join(absent)}" if absent else None


class CommandFailed(Exception):
    """A pulumi command that failed; the message is what it printed."""


@dataclass(frozen=True)
class Changes:
    """What a command did, by the resources' short types; `same` counts those it left alone."""

    by_operation: Mapping[str, tuple[str, ...]]
    printed: str

    @property
    def changed(self) -> dict[str, tuple[str, ...]]:
        return {op: types for op, types in self.by_operation.items() if op not in ("same", "read")}

    def count(self, operation: str) -> int:
        return len(self.by_operation.get(operation, ()))


class Project:
    """A checkout of its own with a stack `dev` that points at the fake."""

    def __init__(self, folder: Path, fake: FakeGoogle, function: Path) -> None:
        self.folder = folder / "checkout"
        self._fake = fake
        self.folder.mkdir(parents=True)
        shutil.copy(ROOT / "Pulumi.yaml", self.folder)
        ignored = shutil.ignore_patterns("__pycache__", ".build")
        shutil.copytree(ROOT / "infra", self.folder / "infra", ignore=ignored)
        shutil.copytree(function, self.folder / "function", ignore=ignored)
        (self.folder / ".venv").symlink_to(
            sys.prefix
        )  # where Pulumi.yaml says; made by Pulumi itself where there is none
        state = folder / "state"
        state.mkdir()
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("PULUMI_", "GOOGLE_", "SMS_"))},
            "PULUMI_BACKEND_URL": f"file://{state}",
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_GCP_SKIP_REGION_VALIDATION": "true",
            "HTTPS_PROXY": fake.address,  # refuses: nothing leaves the machine, the provider's look-up of its identity included
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            "NO_COLOR": "1",
            # The program asks the deployed connector.
            **({"SSL_CERT_FILE": fake.cloud.runner.authority.ca_file} if fake.cloud.runner else {}),
        }
        self.state = state
        self.pulumi("stack", "init", "dev")
        self.set_all(config_of(fake.address))

    def pulumi(self, *arguments: str, fails: bool = False) -> str:
        """Runs the command and returns what it printed."""
        command = ["pulumi", *arguments, "--non-interactive"]
        done = subprocess.run(
            command, cwd=self.folder, env=self._environment, capture_output=True, text=True, timeout=900, check=False
        )
        printed = done.stdout + done.stderr
        if (done.returncode != 0) != fails:
            raise CommandFailed(f"{' '.join(command)} exited with {done.returncode}:\n{_errors(printed)}")
        return printed

    def set_all(self, plain: Mapping[str, str], secret: Mapping[str, str] | None = None) -> None:
        """Sets keys, dots as paths, by one command: each takes the better part of a second."""
        flags = [part for key, value in plain.items() for part in ("--plaintext", f"{key}={value}")]
        flags += [part for key, value in (secret or {}).items() for part in ("--secret", f"{key}={value}")]
        self.pulumi("config", "set-all", "--path", *flags)

    def run(self, command: str, *arguments: str) -> Changes:
        """`up`, `refresh`, `destroy` or `preview`, and what it changed."""
        return _changes(self.pulumi(command, "--json", *(() if command == "preview" else AT_ONCE), *arguments))

    def outputs(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.pulumi("stack", "output", "--json", "--show-secrets"))
        return found

    def connection(self, name: str = "sms") -> dict[str, Any]:
        found: dict[str, Any] = self.outputs()["connections"][name]
        return found

    def written(self) -> str:
        """Everything the backend holds, state and history, as text."""
        files = [path for path in self.state.rglob("*") if path.is_file()]
        return "\n".join(path.read_bytes().decode(errors="replace") for path in files)


def _errors(printed: str) -> str:
    """The error messages among the engine's events; without any, all that was printed."""
    events = [json.loads(line) for line in printed.splitlines() if line.startswith('{"sequence"')]
    told = [event.get("diagnosticEvent", {}) for event in events]
    return "\n".join(d["message"] for d in told if d.get("severity") == "error") or printed[-6000:]


def _changes(printed: str) -> Changes:
    """From the engine's events (one JSON document a line) or a preview's single document."""
    found: dict[str, list[str]] = {}
    for operation, kind in _steps(printed):
        found.setdefault(operation, []).append(re.sub(r"^.*:", "", kind))
    ignored = ("pulumi:pulumi:Stack", "Stack")
    kept = {op: tuple(sorted(k for k in kinds if k not in ignored)) for op, kinds in found.items()}
    return Changes({op: kinds for op, kinds in kept.items() if kinds}, printed)


def _steps(printed: str) -> list[tuple[str, str]]:
    start = printed.find("{")
    document, _ = json.JSONDecoder().raw_decode(printed[start:])
    if "steps" in document:
        return [(step["op"], step["urn"].split("::")[2].split("$")[-1]) for step in document["steps"]]
    steps = []
    for line in printed.splitlines():
        event = json.loads(line) if line.startswith("{") else {}
        done = event.get("resOutputsEvent", {}).get("metadata")
        if done:
            steps.append((done["op"], done["urn"].split("::")[2].split("$")[-1]))
    return steps
