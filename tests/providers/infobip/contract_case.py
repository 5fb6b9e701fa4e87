"""Infobip's case for the provider contract suite."""

from __future__ import annotations

from sms_connector.model.status import MessageStatus
from sms_connector.transport.http import HttpResponse
from tests.contract.providers.case import ProviderCase
from tests.fixtures.providers import make_provider
from tests.providers.infobip import infobip_wire as wire

LINK = "https://www.infobip.com/docs/essentials/api-authentication"

CASE = ProviderCase(
    name="infobip",
    build=lambda secrets, transport: make_provider("infobip", secrets, transport, wire.BASE_URL),
    secrets=wire.SECRETS,
    rotated={"api-key": "f" * 32},
    # The id is ours.
    message_id=lambda number: f"msg_{number}",
    taken=lambda _ids: wire.all_sent,
    some_refused=lambda ids, place: wire.sent(
        *((id_, "REJECTED_DESTINATION" if n == place else "PENDING_ACCEPTED") for n, id_ in enumerate(ids))
    ),
    refusal=wire.api_error(
        400, "Request cannot be processed.", ("options.schedule.bulkId", "size must be between 0 and 100")
    ),
    refusal_words=(
        "E400",
        "Request cannot be processed.; options.schedule.bulkId: size must be between 0 and 100",
        None,
    ),
    opted_out=wire.sent(("msg_0", "REJECTED_DESTINATION_BLOCKLISTED")),
    unauthorized=wire.api_error(401, "The request lacks valid authentication credentials.", link=LINK),
    unreadable={
        "nothing": HttpResponse(200, {}, b""),
        "half a document": HttpResponse(200, wire.JSON, b'{"messages": [{"messageId": "msg'),
        "a page": HttpResponse(200, {"content-type": "text/html"}, b"<html>"),
        "no messages": wire.answer(200, {"bulkId": "x"}),
        "an empty list": wire.answer(200, {"messages": []}),
        "somebody else's message": wire.sent(("another", "PENDING_ACCEPTED")),
        "a number for an id": wire.answer(200, {"messages": [{"messageId": 1}]}),
        "a list": wire.answer(200, []),
        "not UTF-8": HttpResponse(200, wire.JSON, b'{"messages": ["\xff"]}'),
    },
    words={
        "PENDING_ACCEPTED": MessageStatus.QUEUED,
        "PENDING_ENROUTE": MessageStatus.SENDING,
        "PENDING_WAITING_DELIVERY": MessageStatus.SENT,
        "UNDELIVERABLE_REJECTED_OPERATOR": MessageStatus.UNDELIVERED,
        "UNDELIVERABLE_NOT_DELIVERED": MessageStatus.UNDELIVERED,
        "UNDELIVERABLE_NOT_SENT": MessageStatus.FAILED,
        "EXPIRED_EXPIRED": MessageStatus.UNDELIVERED,
        "EXPIRED_DLR_UNKNOWN": MessageStatus.UNKNOWN,
        "REJECTED_NETWORK": MessageStatus.FAILED,
        "DELIVERED_TO_OPERATOR": MessageStatus.SENT,
        "DELIVERED_TO_HANDSET": MessageStatus.DELIVERED,
    },
    connected=wire.answer(200, {"balance": 47.79, "currency": "EUR"}),
    report=lambda message_id, word: wire.logs(wire.log(message_id, word)),
    not_known=wire.logs(),
    status_callback=lambda url, message_id, word: wire.callback(url, [wire.report(message_id, word)]),
    many_reports=lambda url, told: wire.callback(
        url, [*(wire.report(message_id, word) for message_id, word in told), {"messageId": None}]
    ),
    inbound=lambda url, sender, text: wire.callback(url, [wire.inbound(sender, text)]),
)
