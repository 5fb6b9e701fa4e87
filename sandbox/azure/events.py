"""Event Grid in front of the resource: subscriptions, their handshake, and the events they are sent.

learn.microsoft.com/azure/event-grid: communication-services-telephony-sms-events, delivery-and-retry,
end-point-validation-event-grid-events-schema, end-point-validation-cloud-events-schema.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, groupby
from typing import Any

from sandbox.azure.messages import Message, timestamp
from sandbox.callbacks import Callbacks, Outcome, PlainPolicy, Webhook
from sandbox.service import AdminError

REPORT = "Microsoft.Communication.SMSDeliveryReportReceived"
RECEIVED = "Microsoft.Communication.SMSReceived"
VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"
EVENT_GRID, CLOUD_EVENTS = "EventGridSchema", "CloudEventSchemaV1_0"
ORIGIN = "eventgrid.azure.net"
TOPIC = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/sandbox"
    "/providers/microsoft.communication/communicationservices/sandbox"
)
# Seconds before each repeat; the last one holds for all that follow.
PAUSES = (10.0, 30.0, 60.0, 300.0, 600.0, 1800.0, 3600.0, 10_800.0, 21_600.0, 43_200.0)
NEVER_REPEATED = frozenset({400, 401, 403, 413})
MOST_EVENTS = 5_000


class EventGridPolicy(PlainPolicy):
    """What can't be mended by repeating is dropped."""

    def retries_on(self, outcome: Outcome) -> bool:
        return outcome.status is None or not (200 <= outcome.status <= 204 or outcome.status in NEVER_REPEATED)


# 30 seconds for an answer; 30 attempts within 24 hours.
POLICY = EventGridPolicy(connect_seconds=30.0, read_seconds=30.0, total_seconds=86_400.0, retries=29)


@dataclass(frozen=True, slots=True)
class Subscription:
    name: str
    url: str
    schema: str = EVENT_GRID
    event_types: tuple[str, ...] = (REPORT, RECEIVED)
    batch: int = 1


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell, at `due` (epoch seconds). `message_id` and `label` are for the journal."""

    type: str
    due: float
    data: Mapping[str, Any]
    message_id: str
    label: str


def report_event(message: Message, report: Mapping[str, Any], *, due: float) -> Event:
    """The event's sample has the sender without its plus, and says "No error." where the REST answer has a code."""
    data = {**report, "from": message.sender.lstrip("+")}
    if data["deliveryStatus"] == "Delivered":
        data["deliveryStatusDetails"] = "No error."
    return Event(REPORT, due, data, message.id, str(data["deliveryStatus"]).lower())


def received_event(message: Message) -> Event:
    """Both numbers come without their plus."""
    data = {
        "messageId": message.id,
        "from": message.sender.lstrip("+"),
        "to": message.to.lstrip("+"),
        "message": message.body,
        "receivedTimestamp": timestamp(message.accepted_at),
        "segmentCount": message.segments,
    }
    return Event(RECEIVED, message.accepted_at, data, message.id, "inbound")


class EventGrid:
    """The subscriptions of the resource."""

    def __init__(self, callbacks: Callbacks, dice: random.Random) -> None:
        self._callbacks = callbacks
        self._dice = dice
        self.subscriptions: dict[str, Subscription] = {}

    async def subscribe(self, subscription: Subscription) -> None:
        """Keep it once its endpoint has proved that it wants events. Raises AdminError if it does not."""
        await (self._ask if subscription.schema == EVENT_GRID else self._ask_options)(subscription)
        self.subscriptions[subscription.name] = subscription

    def webhooks(self, events: Sequence[Event]) -> list[tuple[float, Webhook]]:
        """Return the requests that bring these events to everyone who subscribed to them."""
        return [planned for one in self.subscriptions.values() for planned in self._requests(one, events)]

    def _requests(self, to: Subscription, events: Sequence[Event]) -> Iterator[tuple[float, Webhook]]:
        wanted = sorted((event for event in events if event.type in to.event_types), key=lambda event: event.due)
        for due, together in groupby(wanted, key=lambda event: event.due):
            rows = list(together)
            for start in range(0, len(rows), to.batch):
                yield due, self._webhook(to, rows[start : start + to.batch])

    def _webhook(self, to: Subscription, events: Sequence[Event]) -> Webhook:
        documents, first, batched = [self._document(to, event) for event in events], events[0], to.batch > 1
        content_type = "application/json"
        if to.schema == CLOUD_EVENTS:
            content_type = "application/cloudevents-batch+json" if batched else "application/cloudevents+json"
        body = _dumped(documents[0] if to.schema == CLOUD_EVENTS and not batched else documents)
        headers = _headers(to, "Notification", content_type=content_type)
        return Webhook(first.message_id, first.label, "POST", to.url, (), headers, POLICY, body=body, pauses=PAUSES)

    def _document(self, to: Subscription, event: Event) -> dict[str, Any]:
        number = event.data["from" if event.type == REPORT else "to"]
        subject = f"/phonenumber/{number}"
        if to.schema == CLOUD_EVENTS:
            return {
                "id": self._uuid(),
                "source": TOPIC,
                "subject": subject,
                "data": event.data,
                "type": event.type,
                "time": timestamp(event.due),
                "specversion": "1.0",
            }
        return self._event(subject, event.data, event_type=event.type, at=event.due)

    def _event(self, subject: str, data: Mapping[str, Any], *, event_type: str, at: float) -> dict[str, Any]:
        return {
            "id": self._uuid(),
            "topic": TOPIC,
            "subject": subject,
            "data": data,
            "eventType": event_type,
            "dataVersion": "1.0",
            "metadataVersion": "1",
            "eventTime": timestamp(at),
        }

    async def _ask(self, of: Subscription) -> None:
        """Event Grid schema: the code has to come back within the answer, which has to be a 200."""
        code = self._uuid()
        data = {
            "validationCode": code,
            "validationUrl": f"https://rp-sandbox.{ORIGIN}:553/eventsubscriptions/{of.name}/validate?id={code}",
        }
        body = _dumped([self._event("", data, event_type=VALIDATION, at=0.0)])
        headers = _headers(of, "SubscriptionValidation", content_type="application/json")
        outcome = await self._handshake(of, "POST", headers, body=body)
        if _answered(outcome.body) != code:
            raise _refused("validationResponse has to be the validationCode")

    async def _ask_options(self, of: Subscription) -> None:
        """CloudEvents: the origin has to be allowed by a header (cloudevents/spec, http-webhook.md section 4)."""
        asked = {"WebHook-Request-Origin": ORIGIN, "WebHook-Request-Rate": "120"}
        outcome = await self._handshake(of, "OPTIONS", lambda: asked, body=b"")
        if outcome.headers.get("WebHook-Allowed-Origin") not in ("*", ORIGIN):
            raise _refused(f"WebHook-Allowed-Origin has to be {ORIGIN} or *")

    async def _handshake(
        self, of: Subscription, method: str, headers: Callable[[], Mapping[str, str]], *, body: bytes
    ) -> Outcome:
        policy = PlainPolicy(read_seconds=30.0, retries=0)
        outcome = await self._callbacks.post(
            Webhook(of.name, "handshake", method, of.url, (), headers, policy, body=body)
        )
        if outcome.status != 200:
            raise _refused(f"the status has to be 200, not {outcome.status or outcome.error}")
        return outcome

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._dice.getrandbits(128), version=4))


def read_subscription(body: Mapping[str, Any]) -> Subscription:
    """An admin call's `name`, `url`, `schema`, `eventTypes`, `maxEventsPerBatch`. Raises AdminError."""
    name, url = str(body.get("name", "sandbox")), str(body.get("url", ""))
    schema, batch = body.get("schema", EVENT_GRID), body.get("maxEventsPerBatch", 1)
    types = tuple(body.get("eventTypes", (REPORT, RECEIVED)))
    if schema not in (EVENT_GRID, CLOUD_EVENTS):
        raise AdminError(f"schema: {EVENT_GRID} or {CLOUD_EVENTS} is needed")
    if not set(types) <= {REPORT, RECEIVED}:
        raise AdminError(f"eventTypes: {REPORT} and {RECEIVED} are simulated")
    if not isinstance(batch, int) or not 1 <= batch <= MOST_EVENTS:
        raise AdminError(f"maxEventsPerBatch: 1 to {MOST_EVENTS} is needed")
    return Subscription(name, url, schema, types, batch)


def _headers(of: Subscription, event_type: str, *, content_type: str) -> Callable[[], Mapping[str, str]]:
    """Asked before each attempt: `aeg-delivery-count` says how often the same was delivered before."""
    attempts = count()
    fixed = {"Content-Type": f"{content_type}; charset=utf-8", "aeg-event-type": event_type}
    fixed["aeg-subscription-name"] = of.name.upper()
    if of.schema == EVENT_GRID:
        fixed |= {"aeg-data-version": "1.0", "aeg-metadata-version": "1"}
    return lambda: {**fixed, "aeg-delivery-count": str(next(attempts))}


def _refused(problem: str) -> AdminError:
    return AdminError(f"url: the endpoint did not pass the handshake: {problem}")


def _dumped(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def _answered(body: str) -> object:
    try:
        return dict(json.loads(body)).get("validationResponse")
    except (TypeError, ValueError):
        return None
