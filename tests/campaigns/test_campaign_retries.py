"""What failed safely can be sent again, once: by the record's own key, or as a retry of its campaign."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from sms_connector.errors import PreconditionFailed
from sms_connector.model.phone_number import Sender, SenderKind
from sms_connector.model.senders import Senders
from sms_connector.model.status import MessageStatus
from sms_connector.store.campaign_record import CampaignState
from sms_connector.store.message_record import MessageRecord
from tests.api.conftest import PROFILE
from tests.fixtures.campaign_api import CampaignApi
from tests.fixtures.campaign_world import CampaignWorld, Node, accepted, called, number, run_in
from tests.fixtures.fake_clock import ThreadedClock
from tests.fixtures.fake_provider import ONE_BY_ONE, REFUSALS

HOUR = 3600.0


@pytest.fixture
def world() -> CampaignWorld:
    return CampaignWorld(ThreadedClock())


def send(world: CampaignWorld, node: Node, nonce: str) -> MessageRecord:
    campaign = node.take([accepted(0, key="order 1")], nonce=nonce)
    world.run_chunks(node)
    [record] = called(node.results(campaign.id))
    return record


@pytest.mark.parametrize(
    ("fate", "sends", "why"),
    [
        ("", 1, "it was sent"),
        ("lost", 1, "it may have been sent"),
        ("refused", 1, "it would be refused again"),
        ("not reached", 2, "certainly nothing was sent"),
        ("opted out", 1, "the recipient has opted out still"),
    ],
)
@pytest.mark.parametrize("single", [False, True], ids=["campaign", "single"])
def test_a_key_is_free_where_certainly_nothing_was_sent(fate: str, sends: int, why: str, single: bool) -> None:
    api = CampaignApi()
    world, node = api.world, api.node
    world.network.fate[number(0)].append(fate)
    calls = 0 if fate in REFUSALS else 1

    def attempt(nonce: str) -> None:
        if single:
            body = {"message": "Hello name 0", "records": [{"to": number(0), "key": "order 1"}]}
            assert api.client.post("/v1/messages:send", json=body).status_code == 200
        else:
            send(world, node, nonce)

    def scenario() -> None:
        attempt("first")
        attempt("second")
        assert len(world.network.stored) == (calls if sends == 1 else sends - 1), why

    run_in(world.clock, scenario)


def test_a_key_is_free_again_when_consent_is_given_again(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node()
        node.engine.opt_outs.put(number(0), "api")
        assert send(world, node, "first").status is MessageStatus.ERROR
        assert send(world, node, "second").status is MessageStatus.ERROR
        node.engine.opt_outs.delete(number(0))
        assert send(world, node, "third").status is MessageStatus.QUEUED
        assert send(world, node, "fourth").same_as is not None
        assert len(world.network.stored) == 1

    run_in(world.clock, scenario)


@pytest.mark.parametrize("told_after", [60.0, 80 * HOUR], ids=["soon", "after both have expired"])
def test_two_records_of_one_message_end_alike(world: CampaignWorld, told_after: float) -> None:
    def scenario() -> None:
        node = world.node(callbacks=True)
        first, second = send(world, node, "a"), send(world, node, "b")
        assert len(node.provider.starts("send")) == 1
        begun = world.clock.time()
        world.run_maintenance(node, until=begun + min(told_after, 600))
        world.clock.sleep(max(0.0, begun + 600 - world.clock.time()))
        if told_after < HOUR:
            world.tell(first.id, MessageStatus.DELIVERED)
        seen = node.engine.messages.get(second.id)
        assert seen.status is node.engine.messages.get(first.id).status, "at once, whatever was counted so far"
        world.run_maintenance(node, until=begun + 80 * HOUR)
        ends = [node.engine.messages.get(record.id) for record in (first, second)]
        assert [end.status for end in ends] == [ends[0].status] * 2
        assert all(end.final for end in ends)
        counts = [node.engine.campaigns.get(each.campaign or "").counts for each in ends]
        assert counts == [{str(ends[0].status): 1}] * 2
        assert ends[0].status is (MessageStatus.DELIVERED if told_after < HOUR else MessageStatus.EXPIRED)

    run_in(world.clock, scenario)


def retry(api: CampaignApi, campaign: str, *, status: int = 202) -> Any:
    answer = api.client.post(f"/v1/campaigns/{campaign}:retry")
    assert answer.status_code == status, answer.text
    return answer.json


def test_a_retry_keeps_the_sender_of_each_record() -> None:
    names = ("+15551234567", "ACME")
    listed = [
        Sender(names[0], SenderKind.LONG_CODE, countries=("US",)),
        Sender("ACME", SenderKind.ALPHANUMERIC, default=True),
    ]
    api = CampaignApi(profile=replace(PROFILE, senders=Senders(tuple(listed), complete=True)))
    numbers = ["+12125550123", "+4915112345678", "+4915112345679"]
    for to in numbers[:2]:
        api.world.network.fate[to].append("not reached")

    def scenario() -> None:
        origin = api.create({"message": "Hi", "records": [{"to": to} for to in numbers]}).json["id"]
        api.world.run_chunks(api.node)
        again = retry(api, origin)
        assert again["senders"] == dict.fromkeys(names, 1)
        api.world.run_chunks(api.node)
        assert [each["sender"] for each in api.results(again["id"])] == list(names)
        sent = {stored.message.to: stored.message.sender for stored in api.world.network.stored}
        assert sent == dict(zip(numbers, [*names, "ACME"], strict=True))

    run_in(api.world.clock, scenario)


def test_what_failed_safely_is_sent_once_more() -> None:
    api = CampaignApi()
    world, node = api.world, api.node
    names = [f"ref {index}" for index in range(600)]
    records = [{"to": number(index), "reference": names[index], "key": f"key {index}"} for index in range(600)]
    for index in (3, 300, 599):
        world.network.fate[number(index)].append("not reached")
    for index in (7, 8):
        world.network.fate[number(index)].append("refused")

    def scenario() -> None:
        node.engine.opt_outs.put(number(10), "api")
        node.engine.opt_outs.put(number(11), "api")
        origin = api.create({"message": "Hi", "name": "Spring", "records": records}).json["id"]
        world.run_chunks(node)
        node.engine.opt_outs.delete(number(10))
        before = len(world.network.stored)
        again = retry(api, origin)
        assert (again["origin"], again["name"], again["total"]) == (origin, "Spring", 4)
        assert retry(api, origin)["id"] == again["id"]
        world.run_chunks(node)
        found = api.results(again["id"])
        assert [(each["index"], each["reference"], each["key"], each["status"]) for each in found] == [
            (index, names[index], f"key {index}", "queued") for index in (3, 10, 300, 599)
        ]
        assert len(world.network.stored) == before + 4
        assert retry(api, origin)["id"] == again["id"], "and a second one sends nothing"
        node.engine.opt_outs.delete(number(11))
        late = retry(api, origin)
        assert late["total"] == 1
        world.run_chunks(node)
        assert [each["index"] for each in api.results(late["id"])] == [11]
        assert len(world.network.stored) == before + 5
        assert len({stored.message.to for stored in world.network.stored}) == before + 5, "once each"

    run_in(world.clock, scenario)


def test_nothing_to_send_again_is_said() -> None:
    api = CampaignApi()

    def scenario() -> None:
        origin = api.create({"message": "Hi", "records": [{"to": number(0)}, {"to": "0123"}]}).json["id"]
        api.world.run_chunks(api.node)
        assert "results?status=error" in retry(api, origin, status=422)["error"]["message"]
        assert api.client.post("/v1/campaigns/cmp_c00000000000000000000:retry").status_code == 404

    run_in(api.world.clock, scenario)


def test_a_retry_that_broke_off_is_taken_up_again(world: CampaignWorld) -> None:
    """Its node died before the campaign had learned of it: the same campaign is found by its id, and nothing is sent twice."""

    def scenario() -> None:
        node = world.node()
        world.network.fate[number(0)].append("not reached")
        origin = node.take([accepted(0)])
        world.run_chunks(node)
        first = node.engine.retries.retry(origin.id, request_id="req_2")
        campaign = node.engine.campaigns.read(origin.id)
        campaign.retries.clear()
        [campaign.version] = world.ledger.commit([campaign.to_write()])
        assert node.engine.retries.retry(origin.id, request_id="req_3").id == first.id
        assert node.engine.campaigns.read(origin.id).retries == [first.id]
        world.run_chunks(node)
        assert len(world.network.stored) == 1

    run_in(world.clock, scenario)


def test_a_campaign_that_is_still_taken_in_is_not_retried(world: CampaignWorld) -> None:
    def scenario() -> None:
        node = world.node()
        campaign = node.take([accepted(0)])
        campaign.state = CampaignState.ACCEPTING
        world.ledger.commit([campaign.to_write()])
        with pytest.raises(PreconditionFailed, match="still being taken in"):
            node.engine.retries.retry(campaign.id, request_id="req_2")

    run_in(world.clock, scenario)


@pytest.mark.parametrize(
    ("ahead", "wait", "least", "why"),
    [
        (3600.0, 0.0, 3600.0, "far enough ahead: as it was asked for"),
        (400.0, 200.0, 300.0, "ahead, but nearer than the provider's notice: later, never early"),
        (400.0, 500.0, 0.0, "its time has passed: at once"),
    ],
)
def test_a_retry_is_never_earlier_than_was_asked_for(ahead: float, wait: float, least: float, why: str) -> None:
    """The provider takes a message for later at least 300 s ahead."""
    world = CampaignWorld(ThreadedClock())
    node = world.node(capabilities=replace(ONE_BY_ONE, schedule_window=(300, 35 * 86_400)))
    world.network.fate[number(0)].append("not reached")

    def scenario() -> None:
        send_at = datetime.fromtimestamp(world.clock.time() + ahead, UTC)
        campaign = node.take([accepted(0)], send_at=send_at)
        world.run_chunks(node)
        world.clock.sleep(wait)
        again = node.engine.retries.retry(campaign.id, request_id="req_2")
        wanted = again.options.send_at
        left = (wanted.timestamp() if wanted else world.clock.time()) - world.clock.time()
        assert left >= least, why
        assert wanted is None or wanted >= send_at, why

    run_in(world.clock, scenario)
