"""What stands around sending: single messages asked about, canceled, redacted; consent; suspension; callback addresses."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from sms_connector.callbacks.callback_address import CallbackAddress
from sms_connector.connection_control import CACHE_SECONDS, ConnectionControl
from sms_connector.errors import ErrorKind, NotFound, NotSent, PreconditionFailed
from sms_connector.model.send_request import MessageFilter
from sms_connector.model.status import MessageStatus
from sms_connector.ports import Secret
from sms_connector.sending.idempotency import message_id
from tests.fixtures.fake_provider import NO_PULL, ONE_BY_ONE
from tests.fixtures.nodes import Node, World, draft, number

S = MessageStatus
ID = message_id("nonce", 0)
DAY = 86_400.0


@pytest.fixture
def node(world: World) -> Node:
    node = world.node()
    node.send([draft(0)])
    return node


# --- one message ------------------------------------------------------------------------------------------------------


def test_a_fresh_message_is_not_asked_for(world: World, node: Node) -> None:
    assert node.messages.get(ID).status is S.QUEUED
    assert len(node.provider.calls) == 1


def test_an_older_one_is(world: World, node: Node) -> None:
    world.clock.now += 10
    world.network.stored[0].status = S.DELIVERED
    assert node.messages.get(ID).status is S.DELIVERED
    assert world.record(ID).status is S.DELIVERED


def test_one_without_news_for_three_days_expires(world: World, node: Node) -> None:
    world.clock.now += world.policy.expire_after
    record = node.messages.get(ID)
    assert (record.status, record.final) == (S.EXPIRED, True)
    assert [name for _, name in node.provider.calls] == ["send", "fetch"], "asked for once more before that"


def test_one_that_is_sent_later_has_its_three_days_from_then_on(world: World) -> None:
    node, later = world.node(), world.clock.time() + 20 * DAY
    node.send([draft(0)], send_at=datetime.fromtimestamp(later, UTC))
    world.clock.now = later + world.policy.expire_after - 1
    assert node.messages.get(ID).status is S.QUEUED
    assert world.record(ID).to_write().data["expiresAt"] == later + 30 * DAY
    world.clock.now = later + world.policy.expire_after + 10  # an interval after the last question
    assert node.messages.get(ID).status is S.EXPIRED


def test_one_that_is_sent_later_is_asked_for_from_then_on(world: World, node: Node) -> None:
    later = world.clock.time() + 3600
    [record] = node.send([draft(1)], nonce="later", send_at=datetime.fromtimestamp(later, UTC))
    world.network.of(record.id)[0].status = S.DELIVERED
    calls = len(node.provider.calls)
    for asked_at, status, questions in [(later + 9, S.QUEUED, 0), (later + 10, S.DELIVERED, 1)]:
        world.clock.now = asked_at
        assert node.messages.get(record.id).status is status
        assert len(node.provider.calls) - calls == questions


def test_one_that_is_not_there(node: Node) -> None:
    for act in (node.messages.get, node.messages.cancel, node.messages.redact):
        with pytest.raises(NotFound, match="msg_nothing"):
            act("msg_nothing")


def test_cancel_and_redact(world: World, node: Node) -> None:
    assert node.messages.cancel(ID).status is S.CANCELED
    with pytest.raises(PreconditionFailed, match="canceled already"):
        node.messages.cancel(ID)
    assert node.messages.redact(ID).redacted
    assert world.network.stored[0].body == ""
    assert world.record(ID).redacted


def test_what_the_provider_cannot_do_is_refused_before_any_call(world: World) -> None:
    node = world.node(capabilities=replace(ONE_BY_ONE, cancel=False, redact=False))
    node.send([draft(0)])
    for act in (node.messages.cancel, node.messages.redact):
        with pytest.raises(PreconditionFailed) as refused:
            act(ID)
        assert refused.value.kind is ErrorKind.UNSUPPORTED
    assert len(node.provider.calls) == 1


def test_an_unknown_message_has_nothing_to_cancel_yet(world: World) -> None:
    node = world.node(capabilities=replace(NO_PULL, cancel=True))
    world.network.fate[number(0)].append("lost")
    node.send([draft(0)])
    with pytest.raises(PreconditionFailed, match="outcome is open"):
        node.messages.cancel(ID)


def test_pages_of_the_ledger(world: World) -> None:
    node = world.node()
    for i in range(7):
        node.send([draft(i)], nonce=f"request-{i}")
        world.clock.now += 1
    seen: list[str] = []
    after = None
    for _ in range(4):
        page, after = node.messages.list(MessageFilter(), limit=2, after=after)
        seen += [record.to for record in page]
    assert seen == [number(i) for i in reversed(range(7))]
    assert after is None
    [only], _ = node.messages.list(MessageFilter(to=number(3)), limit=5)
    assert only.to == number(3)


# --- the connection ---------------------------------------------------------------------------------------------------


def test_suspended_is_suspended_at_once_here_and_soon_elsewhere(world: World, node: Node) -> None:
    other = world.node()
    other.connection.require_active()
    node.connection.suspend("maintenance")
    with pytest.raises(PreconditionFailed, match="maintenance"):
        node.connection.require_active()
    other.connection.require_active()
    world.clock.now += CACHE_SECONDS
    with pytest.raises(PreconditionFailed) as refused:
        other.connection.require_active()
    assert refused.value.kind is ErrorKind.SUSPENDED


def test_suspending_twice_keeps_the_first_reason(world: World, node: Node) -> None:
    first = node.connection.suspend("maintenance")
    world.clock.now += 100
    assert node.connection.suspend("something else") == first


def test_resumed(node: Node) -> None:
    node.connection.suspend()
    node.connection.resume()
    node.connection.require_active()


def test_a_read_that_was_under_way_does_not_undo_a_suspension(world: World, node: Node) -> None:
    inner = node.ledger.get
    once: list[int] = []

    def get(collection: str, ids: list[str]) -> object:
        found = inner(collection, ids)
        if not once:
            once.append(1)
            node.connection.suspend("meanwhile")
        return found

    node.ledger.get = get  # type: ignore[assignment,method-assign]
    node.connection.suspended()
    with pytest.raises(PreconditionFailed, match="meanwhile"):
        node.connection.require_active()


def test_what_is_suspended_by_configuration_cannot_be_resumed(world: World, node: Node) -> None:
    control = ConnectionControl(
        node.provider, node.ledger, node.throttle, clock=world.clock, configured_suspension=True
    )
    with pytest.raises(PreconditionFailed):
        control.require_active()
    with pytest.raises(PreconditionFailed, match="SMS_SUSPENDED"):
        control.resume()


def test_a_connection_test_is_a_query_and_takes_a_turn(node: Node) -> None:
    answer = node.connection.test()
    assert (str(answer.state), node.provider.calls[-1][1]) == ("ACTIVE", "check")
    assert node.connection.limits().node.started_last_second == 2


# --- callback addresses -----------------------------------------------------------------------------------------------


@dataclass
class Keys:
    values: dict[str, str] = field(default_factory=lambda: {"webhook-key": "k1"})

    def get(self, name: str) -> Secret | None:
        return Secret(self.values[name]) if self.values.get(name) else None

    def refresh(self) -> None: ...

    def where(self, name: str) -> str:
        return f"secrets/{name}"


def address(keys: Keys, connection: str = "main") -> CallbackAddress:
    return CallbackAddress("https://example.com", provider="p", connection=connection, secrets=keys)


def test_an_address_proves_its_message() -> None:
    keys = Keys()
    url = address(keys).of_message("msg_1")
    assert url.startswith("https://example.com/webhooks/p/status/")
    assert address(keys).message_of(url) == "msg_1"
    token = url.split("/status/")[1].split("?")[0]
    assert address(keys).accepts_token("status", token)
    assert not address(keys).accepts_token("inbound", token)
    assert not address(keys, "another").accepts_token("status", token)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda url: url.replace("msg_1", "msg_2"), id="another message"),
        pytest.param(lambda url: url[:-1] + ("0" if url[-1] != "0" else "1"), id="another digest"),
        pytest.param(lambda url: url.split("?")[0], id="no message"),
        pytest.param(lambda url: url.replace("&d=", "&x="), id="no digest"),
        pytest.param(lambda url: url.replace("&d=", "&d=é"), id="not ASCII"),
    ],
)
def test_an_address_that_was_changed_proves_nothing(change: object) -> None:
    url = address(Keys()).of_message("msg_1")
    assert address(Keys()).message_of(change(url)) is None  # type: ignore[operator]


def test_after_a_rotation_old_addresses_still_hold() -> None:
    url = address(Keys()).of_message("msg_1")
    rotated = Keys({"webhook-key": "k2", "webhook-key-previous": "k1"})
    assert address(rotated).message_of(url) == "msg_1"
    assert address(rotated).of_message("msg_1") != url
    assert address(Keys({"webhook-key": "k3", "webhook-key-previous": "k2"})).message_of(url) is None


def test_without_a_key_no_address_is_made_and_none_is_accepted() -> None:
    nothing = address(Keys({}))
    with pytest.raises(NotSent, match="webhook-key is missing: looked at secrets/webhook-key"):
        nothing.of_message("msg_1")
    guessed = address(Keys({"webhook-key": ""}))
    assert guessed.message_of("https://example.com/?m=msg_1&d=") is None
    assert not guessed.accepts_token("status", "")


def test_a_missing_key_is_an_outcome_of_each_message(world: World) -> None:
    node = world.node()
    node.sender = replace(node.sender, callbacks=address(Keys({})))
    [record] = node.send([draft(0)])
    assert record.failure is not None
    assert (record.status, record.failure.kind) == (S.ERROR, ErrorKind.AUTHENTICATION)
    assert node.provider.calls == []


def test_a_suspension_by_configuration_names_the_fix_that_works(world: World) -> None:
    node = world.node()
    control = ConnectionControl(
        node.provider, node.ledger, node.throttle, clock=world.clock, configured_suspension=True
    )
    for refused in (control.require_active, control.resume):
        with pytest.raises(PreconditionFailed, match=r"SMS_SUSPENDED=false.*deploy") as caught:
            refused()
        assert ":resume" not in str(caught.value)
