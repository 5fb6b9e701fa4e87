"""The catalogues the suite runs over: one of each registered provider that has entity types."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import pytest

from sandbox import Options, Sandbox
from sandbox.options import Settings
from sandbox.providers import simulator
from sms_connector import registry
from sms_connector.entity import EntitySource
from tests.api.google_client import Wire, make_client, open_connector
from tests.contract.entities.case import EntityCase
from tests.contract.providers.doubles import CannedSecrets, CannedTransport
from tests.fixtures.processes import connector_environ
from tests.fixtures.providers import live_transport, make_provider

PARENT = "projects/p/locations/l/connections/local"


def source_of(name: str) -> EntitySource:
    """Return a provider's catalogue, behind a transport that has no answers."""
    return make_provider(name, CannedSecrets({}), CannedTransport()).entities()


SOURCES = {name: source for name in registry.PROVIDERS if (source := source_of(name)).types}
WITHOUT = [name for name in registry.PROVIDERS if name not in SOURCES]
CASES: dict[str, EntityCase] = {
    name: import_module(f"tests.providers.{name.replace('-', '_')}.entity_case").CASE for name in SOURCES
}


@dataclass
class Live:
    """A connector at a simulator with data, as Google's client sees it, and the source beneath it."""

    case: EntityCase
    source: EntitySource
    connections: Any
    wire: Wire

    @property
    def entities(self) -> Any:
        return self.connections.entityTypes().entities()

    def list(self, name: str, conditions: str = "") -> Any:
        given = {"conditions": conditions} if conditions else {}
        return self.entities.list(parent=f"{PARENT}/entityTypes/{name}", pageSize=200, **given).execute()


@pytest.fixture(scope="module", params=list(CASES.values()), ids=list(CASES))
def live(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A connector whose simulator is filled once, and not changed by any test."""
    case: EntityCase = request.param
    with Sandbox(Options(settings=Settings(delivery_seconds=100.0))) as sandbox:
        case.fill(sandbox)
        options = {name: value.replace("{url}", sandbox.url) for name, value in case.options.items()}
        given = {"SMS_PROVIDER_OPTIONS": ",".join(f"{name}={value}" for name, value in options.items())}
        environ = connector_environ(tmp_path_factory.mktemp(case.name), sandbox.url, case.name, **given)
        connections, wire = make_client(open_connector(environ))
        secrets = CannedSecrets(dict(simulator(case.name).secrets))
        with live_transport(secrets) as transport:
            settings = simulator(case.name).settings(case.name, sandbox.url)
            provider = make_provider(case.name, secrets, transport, settings["SMS_PROVIDER_URL"], **options)
            source = provider.entities()
            yield Live(case, source, connections, wire)
