"""A region has to have every service that a stack uses, not the functions alone."""

from __future__ import annotations

import pytest

import regions
from stack_config import ConfigError, load
from tests.infra.harness import BASE


@pytest.mark.parametrize("region", ["us-central1", "europe-west1", "asia-northeast1", "australia-southeast1"])
def test_a_region_with_everything(region: str) -> None:
    assert load({**BASE, "gcp:region": region}).region == region


@pytest.mark.parametrize(
    ("region", "instead"),
    [
        ("europe-west4", "europe-"),
        ("europe-north1", "europe-"),
        ("us-east5", "us-"),
        ("me-west1", ""),
        ("africa-south1", ""),
    ],
)
def test_a_region_without_a_service_is_refused_with_one_that_has_it(region: str, instead: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load({**BASE, "gcp:region": region})
    told = str(refused.value)
    assert "Cloud Scheduler" in told
    assert f"pulumi config set gcp:region {instead}" in told
    proposed = told.rpartition("gcp:region ")[2].strip()
    assert proposed in regions.REGIONS


def test_every_service_is_held_against_a_table() -> None:
    assert set(regions.BY_SERVICE) == {"Cloud Tasks", "Cloud Scheduler"}
    for known in regions.BY_SERVICE.values():
        assert known <= regions.FUNCTIONS
