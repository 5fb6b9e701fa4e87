"""The OpenAPI document: valid, complete, and true of every answer (schemathesis sends what it allows and what it forbids)."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from openapi_spec_validator import validate
from schemathesis.checks import CHECKS, load_all_checks

from sms_connector.api.entry import ROUTES
from sms_connector.api.openapi import with_document
from tests.api.conftest import make_api

DOCUMENT: dict[str, Any] = make_api().get("/openapi.json").json
OPERATIONS = [(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods]


def test_it_is_valid() -> None:
    validate(DOCUMENT)
    assert DOCUMENT["openapi"].startswith("3.1")


def test_every_route_is_in_it() -> None:
    served = {(re.sub(r"<\w+:(\w+)>", r"{\1}", route.path), route.method.lower()) for route in with_document(ROUTES)}
    assert served == set(OPERATIONS)


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_operation_tells_what_it_is_and_how_it_fails(path: str, method: str) -> None:
    operation = DOCUMENT["paths"][path][method]
    assert operation["summary"]
    assert {"200", "400", "405", "500"} <= set(operation["responses"])
    for response in operation["responses"].values():
        assert "X-Request-Id" in response["headers"]
        assert response["content"]["application/json"]["schema"]


def test_operation_ids_are_names_and_unique() -> None:
    ids = [DOCUMENT["paths"][path][method]["operationId"] for path, method in OPERATIONS]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]+", each) for each in ids)


def test_every_type_and_choice_is_documented() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert [
        name for name, schema in schemas.items() if schema.get("type") == "object" and not schema.get("description")
    ] == []


def test_it_is_made_when_first_asked_for_and_then_kept() -> None:
    api = make_api()
    assert api.get("/openapi.json").data == api.get("/openapi.json").data


# --- schemathesis -----------------------------------------------------------------------------------------------------

load_all_checks()
# What a schema allows may still be no number, or hold six placeholders: 400 is the right answer to it.
NOT_OURS = {"positive_data_acceptance", "ignored_auth", "max_response_time"}
CHECKED: list[Any] = [check for check in CHECKS.get_all() if check.__name__ not in NOT_OURS]
SCHEMA = schemathesis.openapi.from_wsgi("/openapi.json", make_api().client.application)


@SCHEMA.parametrize()
@settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_answers_are_as_documented(case: schemathesis.Case[Any]) -> None:
    if "\n" in unquote("".join(map(str, (case.path_parameters or {}).values()))):
        return  # a path with a line break in it is the framework's to refuse: we never see it
    case.call_and_validate(checks=CHECKED)
