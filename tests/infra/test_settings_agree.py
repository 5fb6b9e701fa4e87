"""Infrastructure and functions meet in names alone; here both sides are read and held against each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import indexes
import providers
from sms_connector import ports, settings, settings_values
from sms_connector.providers.twilio import credentials
from tests.infra import configurations
from tests.infra.configurations import CONFIGURATIONS
from tests.infra.harness import Registration


def environment(function: Registration, folder: Path) -> dict[str, str]:
    """The declared variables on the platform, with the mounts as files: exactly what a started function sees."""
    declared: dict[str, Any] = dict(function.inputs["serviceConfig"]["environmentVariables"])
    for volume in function.inputs["serviceConfig"].get("secretVolumes", []):
        for version in volume["versions"]:
            file = folder / f"{volume['mountPath']}/{version['path']}".lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("a-value\n")
    rooted = {k: str(folder) + v if k in ("SMS_SECRETS_DIR", "SMS_CA_FILE") else v for k, v in declared.items()}
    return {**rooted, "K_SERVICE": function.inputs["name"]}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_functions_accept_every_variable(name: str, tmp_path: Path) -> None:
    for function in configurations.stack(name).of("gcp:cloudfunctionsv2/function:Function"):
        loaded = settings.load(environment(function, tmp_path / function.name))
        assert loaded.on_platform
        assert loaded.connection.name == function.name.rpartition("-")[0]
        assert loaded.provider in providers.PROVIDERS


def test_the_values_arrive(tmp_path: Path) -> None:
    stack = configurations.stack("everything")
    loaded = settings.load(
        environment(stack.named("gcp:cloudfunctionsv2/function:Function", "orders-worker"), tmp_path)
    )
    assert loaded.ledger == settings.LedgerAddress("firestore", project="demo-project", database="orders-ledger")
    assert loaded.queue is not None
    assert loaded.queue.worker_url == "https://orders-worker-123456789012.us-central1.run.app"
    assert loaded.queue.connector_url == "https://orders-connector-123456789012.us-central1.run.app"
    assert loaded.queue.account == "orders-tasks@demo-project.iam.gserviceaccount.com"
    assert loaded.webhook_url == "https://orders-webhook-123456789012.us-central1.run.app"
    assert loaded.connection.labels == {"cost-center": "4711"}
    assert loaded.connection.suspended
    assert (loaded.connection.nodes_min, loaded.connection.nodes_max) == (1, 20)
    assert (loaded.node_rate, loaded.connection_rate, loaded.log_level) == (20, 100, "debug")
    assert loaded.proxy == settings.ProxySettings("http://proxy.example.com:3128", "digest", "tunnel")
    assert loaded.campaign_sources == ("gs://my-campaigns",)
    assert loaded.tracking == settings.TrackingSettings(5000, 3)
    assert loaded.ca_file is not None


def test_the_webhook_needs_no_file_it_does_not_get(tmp_path: Path) -> None:
    stack = configurations.stack("everything")
    webhook = stack.named("gcp:cloudfunctionsv2/function:Function", "orders-webhook")
    assert settings.load(environment(webhook, tmp_path)).ca_file is None


def test_the_same_providers_are_known() -> None:
    assert set(providers.PROVIDERS) == set(settings_values.PROVIDERS)


def test_twilio_reads_the_secrets_that_are_made() -> None:
    assert {spec.name for spec in providers.PROVIDERS["twilio"].secrets} == set(credentials.SECRET_NAMES)


def test_the_ledgers_collections_and_indexes_are_declared() -> None:
    assert set(indexes.COLLECTIONS) == set(ports.COLLECTIONS)
    assert set(indexes.COMPOSITE_INDEXES) == set(ports.COMPOSITE_INDEXES)


def test_what_is_taken_out_of_the_indexes_is_asked_for_by_no_query() -> None:
    asked = {field for fields in ports.COLLECTIONS.values() for field in fields}
    assert asked & {setting.field for setting in indexes.fields()} == set()
