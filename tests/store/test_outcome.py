"""What a call's answer makes of a message: whose word it is, of what kind, and whether the same may be sent again."""

from __future__ import annotations

import pytest

from sms_connector.errors import (
    ConnectorError,
    CredentialsMissing,
    ErrorKind,
    NotSent,
    PreconditionFailed,
    RefusedOnTheWay,
    RetrySafety,
)
from sms_connector.store.outcome import failure_of

S = RetrySafety


@pytest.mark.parametrize(
    ("error", "source", "kind", "retry"),
    [
        pytest.param(
            CredentialsMissing("secret auth-token is missing"), "provider", ErrorKind.AUTHENTICATION, S.SAFE,
            id="a missing secret is as good as a wrong one: once it is there, the message can be sent",
        ),
        pytest.param(NotSent("refused", kind=ErrorKind.RATE_LIMITED), "transport", ErrorKind.RATE_LIMITED, S.SAFE, id="429"),
        pytest.param(RefusedOnTheWay("firewall"), "transport", ErrorKind.UNAVAILABLE, S.SAFE, id="a server on the way"),
        pytest.param(PreconditionFailed("opted out", kind=ErrorKind.OPTED_OUT), "connector", ErrorKind.OPTED_OUT, S.NEVER, id="ours"),
    ],
)  # fmt: skip
def test_whose_word_it_is(error: ConnectorError, source: str, kind: ErrorKind, retry: RetrySafety) -> None:
    failure = failure_of(error)
    assert (failure.source, failure.kind, failure.retry) == (source, kind, retry)
