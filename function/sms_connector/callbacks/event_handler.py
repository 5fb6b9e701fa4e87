"""Check callbacks from the queue, find their message, and apply them once.

    not signed by the provider             not applied; counted, never repeated
    names one of our messages              applied to its document, or kept as a status event of a campaign's block
    names the call and the recipient       applied to the only message it can mean
    has the provider's id only             looked up; if unknown, enqueued again for an hour
    an inbound message                     kept, consent applied, tied to the message it answers (`inbound`)

A callback that can't be applied now raises, and the queue delivers it again. Applying it twice is harmless.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from sms_connector.callbacks.callback_address import CallbackAddress
from sms_connector.callbacks.callback_event import CallbackEvent
from sms_connector.callbacks.inbound import Inbox
from sms_connector.errors import InvalidRequest
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.model.message import batch_of
from sms_connector.model.person import person_key
from sms_connector.ports import Clock, Json, TaskQueue
from sms_connector.provider import Provider
from sms_connector.store.message_store import MessageStore
from sms_connector.structured_log import StructuredLog

# When a callback of an unknown message is tried again: it may have overtaken the answer with the id.
RECENT_MESSAGES = 25
AGAIN_AFTER = (2.0, 5.0, 15.0, 30.0, 60.0, 120.0, 240.0, 480.0, 960.0, 1800.0)


class CallbackHandler(msgspec.Struct, frozen=True):
    """Handles callbacks from the queue. `queue` takes those of unknown messages again; without one they are logged and
    dropped."""

    provider: Provider
    store: MessageStore
    address: CallbackAddress
    inbox: Inbox
    clock: Clock
    log: StructuredLog
    queue: TaskQueue | None = None

    def handle(self, payload: Json) -> None:
        """Apply one callback. Raises InvalidRequest for an invalid payload, and what ledger or queue raise."""
        event = CallbackEvent.of(payload)
        if not self.provider.verify_callback(event.callback):
            return self._reject(event, "signature")
        try:
            self._apply(event)
        except InvalidRequest:
            self._reject(event, "content")

    def _apply(self, event: CallbackEvent) -> None:
        provider = self.provider
        if provider.callback_kind(event.callback, event.kind) == "inbound":
            for message in provider.read_inbound(event.callback):
                self.inbox.accept(message)
            return
        reports = provider.read_status_callback(event.callback)
        unplaced = [report for report in reports if not self._apply_report(report, event, alone=len(reports) == 1)]
        if unplaced:
            self._try_again(event)

    def _apply_report(self, report: DeliveryReport, event: CallbackEvent, *, alone: bool) -> bool:
        """Return False if the message is not known (yet)."""
        named = self.address.message_of(event.callback.url) if alone else None
        message_id = named or self._find(report)
        if message_id is None:
            return False
        at = event.callback.received_at.timestamp()
        found = self.store.record_event(message_id, report, at=at, source="callback")
        return found or named is not None

    def _find(self, report: DeliveryReport) -> str | None:
        found = report.message_id or self.store.find_by_provider_id(report.provider_message_id)
        return found or self._find_in_batch(report)

    def _find_in_batch(self, report: DeliveryReport) -> str | None:
        """Return the message to the report's recipient, of the report's call, whose outcome is open: the answer with
        the provider's id was lost, or is still to come. None where two could be meant."""
        if not (report.batch and report.to):
            return None
        recent = self.store.find_by_person(person_key(report.to), limit=RECENT_MESSAGES)
        meant = [each.id for each in recent if batch_of(each.id) == report.batch and each.is_unsettled]
        return meant[0] if len(meant) == 1 else None

    def _try_again(self, event: CallbackEvent) -> None:
        if event.tries >= len(AGAIN_AFTER) or self.queue is None:
            self.log.info("callback_unmatched", callback=event.kind, tries=event.tries)
            return
        due = self.clock.time() + AGAIN_AFTER[event.tries]
        self.queue.enqueue([replace(event, tries=event.tries + 1).to_task(not_before=due)])

    def _reject(self, event: CallbackEvent, why: str) -> None:
        """Count it by a log entry without its content; it is not repeated."""
        self.log.warning("callback_rejected", callback=event.kind, why=why)
