"""How the Pulumi program is laid out: its borders, and that each component says them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.infra.harness import INFRA

MODULES = sorted(path for path in INFRA.rglob("*.py") if ".build" not in path.parts)
COMPONENTS = [
    path for path in MODULES if path.parent.name == "components" and path.name not in ("__init__.py", "component.py")
]


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_infrastructure_knows_nothing_of_the_functions(path: Path) -> None:
    assert imported(path) & {"sms_connector", "sandbox", "tests", "cli"} == set()


@pytest.mark.parametrize("path", COMPONENTS, ids=lambda path: path.stem)
def test_a_component_has_a_file_and_says_its_borders(path: Path) -> None:
    classes = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)]
    components = [node for node in classes if any(isinstance(b, ast.Name) and b.id == "Component" for b in node.bases)]
    assert len(components) == 1
    told = ast.get_docstring(components[0]) or ""
    assert re.search(r"\bOwns\b", told)
    assert re.search(r"\bRefuses\b", told)


@pytest.mark.parametrize(
    "name",
    [
        "config_rules",
        "connection_config",
        "stack_config",
        "naming",
        "archive",
        "indexes",
    ],
)
def test_what_needs_no_engine_imports_none(name: str) -> None:
    """These are tested as plain Python, and a problem in the configuration is told before the engine is asked for anything."""
    assert imported(INFRA / f"{name}.py") & {"pulumi", "pulumi_gcp"} == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_modules_stay_readable(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400
