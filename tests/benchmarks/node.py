"""A node put together without HTTP in front, so that a benchmark can lift its limit or stamp its calls."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sms_connector.engine import Engine
from sms_connector.local.clock import SystemClock
from sms_connector.local.ledger import SqliteLedger
from sms_connector.local.secrets import FileSecrets
from sms_connector.model.message import BeforeAttempt
from sms_connector.model.policy import Policy
from sms_connector.model.segments import measure
from sms_connector.model.send_request import Draft, SendOptions, SendRequest, Tracking
from sms_connector.provider import Provider
from sms_connector.rate_limit.throttle import Throttle
from sms_connector.transport.http import Gate, Lane, Written
from sms_connector.transport.session import HttpTransport
from sms_connector.transport.settings import TransportSettings
from tests.fixtures.processes import SENDER, connector_environ
from tests.fixtures.providers import make_twilio

from .records import recipient, text


@dataclass(frozen=True, slots=True)
class BareNode:
    """What production's composition root wires, but with a rate and a gate of the benchmark's choosing."""

    engine: Engine
    provider: Provider
    throttle: Throttle


def compose(
    folder: Path,
    provider_url: str,
    *,
    rate: int | None,
    policy: Policy | None = None,
    stamp: Callable[[Lane], None] | None = None,
) -> BareNode:
    """`rate` None lifts the limit; `stamp` hears of every call right when it starts."""
    clock = SystemClock()
    secrets = FileSecrets(connector_environ(folder, provider_url)["SMS_SECRETS_DIR"], clock=clock)
    throttle = Throttle(rate, clock=clock)
    gate = _stamping(throttle.wait_turn, stamp) if stamp else throttle.wait_turn
    transport = HttpTransport(TransportSettings(), clock=clock, gate=gate, secrets=secrets)
    provider = make_twilio(provider_url, secrets, transport)
    ledger = SqliteLedger(folder / "ledger.db", clock=clock)
    engine = Engine(provider=provider, ledger=ledger, throttle=throttle, clock=clock, policy=policy)
    return BareNode(engine, provider, throttle)


def make_request(count: int, tracking: Tracking | None = None, *, first: int = 0) -> SendRequest:
    """`count` records with texts and recipients of their own."""
    numbers = range(first, first + count)
    drafts = [Draft(n - first, recipient(n), SENDER, text(n), measure(text(n))) for n in numbers]
    nonce = uuid.uuid4().hex
    return SendRequest(drafts, SendOptions(SENDER, tracking or Tracking()), nonce, request_id=nonce)


def _stamping(wait_turn: Gate, stamp: Callable[[Lane], None]) -> Gate:
    def gate(lane: Lane, before_attempt: BeforeAttempt | None = None, /) -> Written | None:
        written = wait_turn(lane, before_attempt)
        stamp(lane)
        return written

    return gate
