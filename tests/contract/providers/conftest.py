"""The cases the provider contract runs over: every registered provider's, and a double that is nothing like them."""

from __future__ import annotations

import pytest

from tests.contract.providers import batching_double
from tests.contract.providers.case import ProviderCase
from tests.providers.twilio import contract_case as twilio

CASES = {case.name: case for case in (twilio.CASE, batching_double.CASE)}


@pytest.fixture(params=list(CASES.values()), ids=list(CASES))
def case(request: pytest.FixtureRequest) -> ProviderCase:
    chosen: ProviderCase = request.param
    return chosen
