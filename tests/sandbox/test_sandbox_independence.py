"""The simulator must not inherit the connector's mistakes, nor the witness be blind."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import requests

from tests.sandbox.support import BASE, ROOT, Api, OpenApiDocuments

FORBIDDEN = ("sms_connector", "function", "infra")


@pytest.mark.parametrize("path", sorted((ROOT / "sandbox").rglob("*.py")), ids=lambda path: path.name)
def test_the_sandbox_imports_nothing_of_the_connector(path: Path) -> None:
    tree = ast.parse(path.read_text())
    modules = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    modules += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert [module for module in modules if module.split(".")[0] in FORBIDDEN] == []


def test_the_witness_sees_a_wrong_answer(api: Api, documents: OpenApiDocuments) -> None:
    answer = api.send("GET", f"{BASE}/Balance.json")

    def changed(body: str, status: int = 200) -> requests.Response:
        copy = requests.Response()
        copy.request, copy.status_code, copy._content = answer.request, status, body.encode()
        return copy

    assert documents.problems(answer) == []
    assert documents.problems(changed('{"account_sid": "x", "balance": 1, "currency": "USD"}')) != []
    assert documents.problems(changed('{"account_sid": null, "balance": null}')) != []
    assert documents.problems(changed('{"account_sid": null, "balance": null, "currency": null, "x": 1}')) != []
    assert documents.problems(changed("{}", status=202)) != []
