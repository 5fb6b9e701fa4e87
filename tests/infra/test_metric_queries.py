"""The queries of alerts and dashboard, as Cloud Monitoring reads them."""

from __future__ import annotations

import re

import pytest

import providers
from components.alerts import alerts, log_filters
from components.dashboard import charts
from naming import ConnectionNames

NAMES = ConnectionNames("sms")
QUERIES = {alert.key: alert.query for alert in alerts(NAMES)} | charts(NAMES)


@pytest.mark.parametrize("title", QUERIES)
def test_a_metric_of_several_kinds_of_resource_says_which(title: str) -> None:
    """A log metric has a series for each kind: without the kind the query is refused, and the alert never fires."""
    for selector in re.findall(r"(?:logging|run)_googleapis_com:\w+(\{[^}]*\})?", QUERIES[title]):
        assert 'monitored_resource="cloud_run_revision"' in selector


def test_every_log_metric_is_looked_at() -> None:
    whole = " ".join(QUERIES.values())
    for key in log_filters(NAMES):
        assert f"user_sms_{key.replace('-', '_')}{{" in whole


def test_the_maintenance_run_is_no_send() -> None:
    """It is a request to the worker each minute; counted as sends it would raise `no-callbacks` on an idle connection."""
    assert 'NOT httpRequest.requestUrl=~"/tasks/maintenance$"' in log_filters(NAMES)["sends"]


@pytest.mark.parametrize("name", providers.PROVIDERS)
def test_each_secret_that_rotates_has_its_alert(name: str) -> None:
    queries = [alert.query for alert in alerts(NAMES, name) if alert.key.startswith("rotation-")]
    assert all(query.startswith("max by (subscription_id) (") for query in queries)
    for spec in (*providers.PROVIDERS[name].secrets, *providers.PROXY_SECRETS):
        watched = [query for query in queries if re.search(rf'["|]sms-rotation-{spec.name}["|]', query)]
        assert len(watched) == spec.rotates, spec.name
