"""A STOP that comes between an attempt and its repetition is heeded."""

from __future__ import annotations

from collections import deque

from sms_connector.errors import ErrorKind
from sms_connector.model.send_request import SendOptions, SendRequest
from sms_connector.model.status import MessageStatus
from tests.fixtures.fake_provider import SAME_TEXT
from tests.fixtures.nodes import SENDER, World, draft, number


def test_a_stop_between_the_attempts_ends_the_call(world: World) -> None:
    node = world.node()
    world.network.fate[number(0)] = deque(["retried"])
    opt_out = node.opt_outs.put

    def step(name: str) -> None:
        if name == "provider.send refused for now":
            opt_out(number(0), "inbound", "STOP")

    node.provider._step = step
    [record] = node.sender.send(SendRequest([draft(0)], SendOptions(SENDER), "nonce", "request"))
    assert record.failure is not None
    assert (record.status, record.failure.kind) == (MessageStatus.ERROR, ErrorKind.OPTED_OUT)
    assert world.network.stored == []


def test_it_stops_no_other_message_of_the_call(world: World) -> None:
    node = world.node(capabilities=SAME_TEXT)
    world.network.fate[number(0)] = deque(["retried"])
    opt_out = node.opt_outs.put

    def step(name: str) -> None:
        if name == "provider.send refused for now":
            opt_out(number(1), "inbound", "STOP")

    node.provider._step = step
    records = node.send([draft(index, text="Hello") for index in range(3)])
    assert [record.status for record in records] == [MessageStatus.QUEUED, MessageStatus.ERROR, MessageStatus.QUEUED]
    assert [stored.message.to for stored in world.network.stored] == [number(0), number(2)]
    assert records[1].failure is not None
    assert records[1].failure.kind is ErrorKind.OPTED_OUT
