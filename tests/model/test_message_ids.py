"""Our ids: their form, and what those sent together have in common."""

from __future__ import annotations

import pytest

from sms_connector.model.message import MESSAGE_ID, batch_of
from sms_connector.sending.idempotency import message_id
from sms_connector.store.campaign_record import MessageLocation


def test_the_messages_of_one_request_are_one_batch() -> None:
    ids = [message_id("nonce", index) for index in range(1000)]
    assert len(set(ids)) == 1000
    assert {batch_of(each) for each in ids} == {batch_of(ids[0])}
    assert batch_of(message_id("another", 0)) != batch_of(ids[0])


def test_the_messages_of_one_chunk_are_one_batch() -> None:
    campaign = "cmp_c" + "0" * 20
    ids = [MessageLocation(campaign, chunk, position).message_id for chunk in (3, 33) for position in (0, 249)]
    assert [batch_of(each) for each in ids] == [f"msg_{campaign[4:]}-{chunk}" for chunk in (3, 3, 33, 33)]


@pytest.mark.parametrize(
    "text", [message_id("nonce", 999), MessageLocation("cmp_c" + "f" * 20, 999_999, 249).message_id]
)
def test_every_id_has_the_form(text: str) -> None:
    assert MESSAGE_ID.fullmatch(text)


@pytest.mark.parametrize("text", ["", "msg_", "SM0123", "msg_a/b", "msg_é", "msg_" + "0" * 65, "msg_1\n"])
def test_nothing_else_has(text: str) -> None:
    assert not MESSAGE_ID.fullmatch(text)
