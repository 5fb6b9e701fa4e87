"""Who may import whom: the contracts of pyproject.toml, and what they can't say."""

from __future__ import annotations

import sys

import pytest
from importlinter.cli import lint_imports

from tests.architecture.source_tree import ROOT, expect_none, sources

OURS = {"sms_connector", "sandbox", "cli", "tests", "main"}


def test_the_contracts_hold(capsys: pytest.CaptureFixture[str]) -> None:
    code = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert code == 0, capsys.readouterr().out


def test_infra_meets_the_function_through_names_only() -> None:
    """Its modules are found by their bare names when Pulumi runs them, so they are no package a contract could name."""
    strays = [
        f"{source.name}:{line} imports {module}"
        for source in sources("infra")
        for line, module in source.imports()
        if module.partition(".")[0] in OURS
    ]
    expect_none(strays)


def test_the_entry_point_knows_the_composition_root_alone() -> None:
    [main] = [source for source in sources("function") if source.name == "function/main.py"]
    ours = {module for _, module in main.imports() if module.startswith("sms_connector")}
    assert ours <= {"sms_connector", "sms_connector.app", "sms_connector.errors"}


def test_no_module_of_the_function_folder_is_hidden_by_an_installed_one() -> None:
    """functions-framework appends the folder to the import path: a module named like an installed package is never seen."""
    names = {path.stem for path in (ROOT / "function").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert not names & sys.stdlib_module_names
