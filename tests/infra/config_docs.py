"""Write what `Pulumi.yaml` and `docs/deploy.md` say of the configuration's keys: `python -m tests.infra.config_docs`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "infra"))

from connection_config import SCHEMAS, SECRET_KEYS  # noqa: E402 - found by the line above when this is run as a program

SEVERAL = (
    "Several connections instead of one: name → the same keys (pulumi config set --path connections.<name>.<key>)."
)
TABLE = "| key | default | meaning |\n|---|---|---|\n"


def schema() -> str:
    """Return the section `config` of Pulumi.yaml; a group is one key with its meanings in a row."""
    groups: dict[str, dict[str, Any]] = {}
    for path, key in SCHEMAS.items():
        if path in SECRET_KEYS:
            continue
        group, dot, inner = path.partition(".")
        entry = groups.setdefault(group, {"description": "", "default": {} if dot else ""})
        entry["description"] += f" {inner}: {key['description']}" if dot else key["description"]
        if not dot:
            entry["default"] = "" if key["default"] is None else key["default"]
        elif key["default"] not in (None, []):
            entry["default"][inner] = key["default"]
    groups["connections"] = {"description": SEVERAL, "default": {}}
    return "config:\n" + "".join(
        f"  {name}:\n    description: {_json(entry['description'].strip())}\n    default: {_json(entry['default'])}\n"
        for name, entry in groups.items()
    )


def table() -> str:
    """Return the table of keys and secret values of docs/deploy.md."""
    return TABLE + "".join(
        f"| `{path}` | {_shown(key['default'])} | {key['description']} |\n" for path, key in SCHEMAS.items()
    )


def replaced(path: Path) -> str:
    """Return the file's text with what is generated in it as it has to be."""
    text = path.read_text(encoding="utf-8")
    if path.name == "Pulumi.yaml":
        return text.partition("config:\n")[0] + schema()
    before, _, after = text.partition(TABLE)
    return before + table() + after[after.index("\n\n") + 1 :]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _shown(default: object) -> str:
    return "–" if default in (None, [], {}) else str(default).lower() if isinstance(default, bool) else str(default)


FILES = (ROOT / "Pulumi.yaml", ROOT / "docs" / "deploy.md")

if __name__ == "__main__":
    for file in FILES:
        file.write_text(replaced(file), encoding="utf-8")
