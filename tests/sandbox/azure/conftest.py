from __future__ import annotations

import pytest

from sandbox import Sandbox
from tests.sandbox.azure.azure_client import Api


@pytest.fixture
def azure(sandbox: Sandbox) -> Api:
    return Api(sandbox.url)
