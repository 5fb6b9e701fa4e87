"""Where the provider takes a message once only, a lost answer is settled by repeating the call."""

from __future__ import annotations

from collections import deque

import pytest

from sms_connector.errors import ErrorKind
from sms_connector.model.message import OutboundMessage
from sms_connector.model.send_request import SendOptions
from sms_connector.model.status import MessageStatus
from sms_connector.provider import Capabilities
from sms_connector.sending.send import Job
from sms_connector.store.message_record import Phase
from tests.fixtures.fake_provider import BY_OUR_IDS, IDEMPOTENT, SAME_TEXT
from tests.fixtures.nodes import SENDER, World, draft, number

S = MessageStatus


@pytest.mark.parametrize("fate", ["lost", "lost before"])
@pytest.mark.parametrize("capabilities", [IDEMPOTENT, BY_OUR_IDS], ids=["by a repeat", "by our id or a repeat"])
def test_a_lost_answer_is_settled_within_the_request(world: World, capabilities: Capabilities, fate: str) -> None:
    world.network.fate[number(0)] = deque([fate])
    records = world.node(capabilities=capabilities).send([draft(index, text="Hello") for index in range(3)])
    assert {record.status for record in records} == {S.QUEUED}
    assert sorted(stored.message.to for stored in world.network.stored) == [number(index) for index in range(3)]


def test_a_repeat_says_when_the_message_was_meant_to_be_sent(world: World) -> None:
    world.network.fate[number(0)] = deque(["lost before"])
    node = world.node(capabilities=IDEMPOTENT)
    seen: list[float] = []
    send = node.provider.send

    def note(messages: list[OutboundMessage], before_attempt: object = None) -> object:
        seen.extend(message.intended_at for message in messages)
        return send(messages, before_attempt)  # type: ignore[arg-type]

    node.provider.send = note  # type: ignore[assignment,method-assign]
    [record] = node.send([draft(0)])
    assert seen == [record.created_at, record.created_at]


@pytest.mark.parametrize("fate", ["too fast", "unknown account", "closed account", "not sent"])
def test_a_repeat_that_is_refused_for_now_proves_nothing(world: World, fate: str) -> None:
    world.network.fate[number(0)] = deque(["lost before", fate, fate])
    [record] = world.node(capabilities=IDEMPOTENT).send([draft(0)])
    assert (record.phase, record.status) == (Phase.UNKNOWN, S.UNKNOWN)


def test_a_repeat_that_is_refused_for_good_is_refused(world: World) -> None:
    world.network.fate[number(0)] = deque(["lost before", "refused"])
    [record] = world.node(capabilities=IDEMPOTENT).send([draft(0)])
    assert record.failure is not None
    assert (record.status, record.failure.kind) == (S.ERROR, ErrorKind.INVALID_RECIPIENT)


def test_who_opts_out_meanwhile_is_not_called_again(world: World) -> None:
    world.network.fate[number(0)] = deque(["lost before"])
    node = world.node(capabilities=IDEMPOTENT)
    opt_out, calls = node.opt_outs.put, node.provider.calls

    def step(name: str) -> None:
        if name == "provider.send before" and len(calls) == 1:
            opt_out(number(0), "inbound", "STOP")

    node.provider._step = step
    [record] = node.send([draft(0)])
    assert record.phase == Phase.UNKNOWN
    assert node.provider.starts("send") == [node.provider.calls[0][0]]


def test_without_it_nothing_is_repeated_unasked(world: World) -> None:
    world.network.fate[number(0)] = deque(["lost before"])
    node = world.node(capabilities=SAME_TEXT)
    [record] = node.send([draft(0)])
    assert (record.phase, len(node.provider.starts("send"))) == (Phase.UNKNOWN, 1)


def test_one_whose_window_has_ended_is_repeated_where_its_text_is_at_hand(world: World) -> None:
    """A chunk may be carried on long after its worker died."""
    world.network.fate[number(0)] = deque(["lost before"] * 3)
    node = world.node(capabilities=IDEMPOTENT)
    [record] = node.post("key", [draft(0)])  # type: ignore[misc]
    world.clock.now += world.policy.unknown_window + 1
    node.reconciler.resolve([record])
    assert (record.phase, record.status) == (Phase.DONE, S.UNKNOWN)
    node.sender.settle_unknown([Job(draft(0), record)], SendOptions(SENDER))
    assert (record.phase, record.status) == (Phase.DONE, S.QUEUED)
