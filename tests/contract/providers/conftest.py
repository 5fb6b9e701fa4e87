"""The cases the provider contract runs over: every registered provider's, and a double that is nothing like them."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

import pytest

from sms_connector import registry
from tests.contract.providers import batching_double
from tests.contract.providers.case import ProviderCase
from tests.contract.providers.doubles import Answer
from tests.contract.providers.stage import Stage, Staged


def _cases_of(name: str) -> Iterator[ProviderCase]:
    """Yield the package's case, and further ones where its options make it another provider."""
    module = import_module(f"tests.providers.{name.replace('-', '_')}.contract_case")
    yield from (module.CASE, *getattr(module, "MORE_CASES", ()))


_CASES = (*(case for name in registry.PROVIDERS for case in _cases_of(name)), batching_double.CASE)
CASES = {case.name: case for case in _CASES}


@pytest.fixture(params=list(CASES.values()), ids=list(CASES))
def case(request: pytest.FixtureRequest) -> ProviderCase:
    chosen: ProviderCase = request.param
    return chosen


@pytest.fixture
def stage(case: ProviderCase) -> Iterator[Staged]:
    """Builds stages. Whatever the test was about, every request has to be valid by the provider's own document."""
    stages: list[Stage] = []

    def build(*answers: Answer) -> Stage:
        stages.append(Stage(case, *answers))
        return stages[-1]

    yield build
    assert [problem for one in stages if one.recorder for problem in one.recorder.problems] == []
