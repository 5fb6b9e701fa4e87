"""The cases the provider contract runs over: every registered provider's, and a double that is nothing like them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.providers import batching_double
from tests.contract.providers.case import ProviderCase
from tests.contract.providers.doubles import Answer
from tests.contract.providers.stage import Stage, Staged
from tests.providers.azure import contract_case as azure
from tests.providers.infobip import contract_case as infobip
from tests.providers.telesign import contract_case as telesign
from tests.providers.twilio import contract_case as twilio

CASES = {case.name: case for case in (twilio.CASE, telesign.CASE, azure.CASE, infobip.CASE, batching_double.CASE)}


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
