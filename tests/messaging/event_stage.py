"""Callbacks behind the queue on a real ledger: the provider's signature, the stores, consent, and a queue that keeps tasks."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, cast

from sms_connector.local.ledger import SqliteLedger
from sms_connector.messaging.callback_address import CallbackAddress
from sms_connector.messaging.callback_event import CallbackEvent, CallbackKind
from sms_connector.messaging.campaigns.block_store import BlockStore
from sms_connector.messaging.campaigns.blocks import Block
from sms_connector.messaging.campaigns.campaign import Place, Progress, Tally
from sms_connector.messaging.consent import OptOuts
from sms_connector.messaging.events import CallbackEvents, EventTools
from sms_connector.messaging.inbound import InboundMessages, Inbox, InboxRules
from sms_connector.messaging.record import MessageRecord, Phase
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.model.message import text_digest
from sms_connector.model.status import MessageStatus
from sms_connector.ports import MUST_BE_ABSENT, Json, Ledger
from sms_connector.provider import Provider, RawCallback
from sms_connector.providers.twilio.provider import TwilioProvider
from sms_connector.structured_log import StructuredLog
from sms_connector.transport.http import NoTransport
from tests.contract.providers.doubles import CannedSecrets
from tests.fixtures.clocks import FakeClock
from tests.fixtures.memory_queue import MemoryQueue
from tests.providers.twilio import twilio_wire as wire

PUBLIC = "https://hooks.example.com"
STOP_WORDS = ("BASTA",)


class EventStage:
    """`tell` is a callback of the provider's, `history` what the ledger has heard of a message."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock(wire.NOW.timestamp())
        self.secrets = CannedSecrets(dict(wire.SECRETS) | {"webhook-key": "key"})
        self.ledger = SqliteLedger(folder / "ledger.db", clock=self.clock)
        self.queue = MemoryQueue()
        self.log = io.StringIO()
        self.provider = cast(Provider, TwilioProvider(None, self.secrets, NoTransport()))
        self.address = CallbackAddress(PUBLIC, provider="twilio", connection="sms", secrets=self.secrets)
        self.store = BlockStore(self.ledger)
        self.opt_outs = OptOuts(self.ledger, clock=self.clock)
        self.inbound = InboundMessages(self.ledger)
        rules = InboxRules(self.provider.consent_words, STOP_WORDS)
        self.inbox = Inbox(self.ledger, self.store, self.opt_outs, rules=rules)
        self.events = self.events_on(self.ledger)

    def events_on(self, ledger: Ledger) -> CallbackEvents:
        """A node's, on its way to the ledger."""
        return CallbackEvents(
            EventTools(
                provider=self.provider,
                store=BlockStore(ledger, None, OptOuts(ledger, clock=self.clock)),
                address=self.address,
                inbox=self.inbox,
                clock=self.clock,
                log=StructuredLog("sms", stream=self.log, now=self.clock.time),
                queue=self.queue,
            )
        )

    def intent(self, number: int = 1, **fields: Any) -> MessageRecord:
        """A message that is being called at this moment."""
        now = self.clock.time()
        values: dict[str, Any] = {
            "id": f"msg_{number:026x}",
            "to": wire.RECIPIENT,
            "sender": wire.SENDER,
            "text_digest": text_digest("Hello"),
            "created_at": now,
            "updated_at": now,
            "next_check_at": now + 30.0,
        }
        record = MessageRecord(**{**values, **fields})
        self.store.create([record])
        return record

    def campaign_message(self, place: Place, status: MessageStatus) -> MessageRecord:
        """The only one of its chunk: sent, and told of once."""
        now = self.clock.time()
        record = MessageRecord(
            place.message_id, wire.RECIPIENT, wire.SENDER, "digest", now, now, campaign=place.campaign
        )
        record.hear(DeliveryReport(wire.SID, status, str(status)), at=now, source="callback")
        block = Block(place.block_id, place.campaign, now, wire.SENDER, 10.0, 6, None, records={place.position: record})
        progress = Progress(place.campaign, place.chunk, 1, "sent")
        progress.recount(Tally(), Tally.of([record]))
        self.ledger.commit([block.to_write(), progress.to_write(expires_at=now + 3600.0, expect=MUST_BE_ABSENT)])
        return record

    def sent(self, number: int = 1, **fields: Any) -> MessageRecord:
        """A message the provider has taken."""
        taken: dict[str, Any] = {
            "status": MessageStatus.QUEUED,
            "phase": Phase.DONE,
            "provider_message_id": wire.message_sid(number),
        }
        return self.intent(number, **{**taken, **fields})

    def callback(self, url: str, fields: Any, *, token: str = wire.TOKEN) -> RawCallback:
        return wire.form_callback(url, fields, wire.sign(url, fields, token=token))

    def payload(self, callback: RawCallback, kind: CallbackKind = "status") -> Json:
        """As it comes out of the queue."""
        payload: Json = json.loads(json.dumps(CallbackEvent(kind, callback).to_task().payload))
        return payload

    def tell(self, record: MessageRecord | None, status: str, number: int = 1, **more: str) -> None:
        """The provider's callback to the message's own address, or to none in particular."""
        url = self.address.of_message(record.id) if record is not None else self.address.of_kind("status")
        fields = wire.status_fields(wire.message_sid(number), status, **more)
        self.events.handle(self.payload(self.callback(url, fields)))

    def receive(self, text: str, **more: str) -> None:
        """A text from the recipient."""
        fields = wire.inbound_fields(text=text, **more)
        callback = self.callback(self.address.of_kind("inbound"), fields)
        self.events.handle(self.payload(callback, "inbound"))

    def read(self, record: MessageRecord) -> MessageRecord:
        [current] = self.store.get([record.id])
        assert current is not None
        return current

    def logged(self, message: str) -> list[Json]:
        lines = map(json.loads, self.log.getvalue().splitlines())
        return [line for line in lines if line["message"] == message]
