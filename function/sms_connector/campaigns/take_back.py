"""Cancel a canceled campaign's scheduled messages at the provider, a chunk at a time, within the node's rate."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from sms_connector.errors import CallError, ConnectorError, ProviderRefused, RequestError
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.sending.send import SendService
from sms_connector.store.apply_report import ApplyReport
from sms_connector.store.campaign_record import MessageLocation, Progress
from sms_connector.store.message_record import MessageRecord, Phase

PARALLEL_CALLS = 8
CHECK_AGAIN = 0.05
Answered = tuple[MessageRecord, DeliveryReport | ConnectorError]


def cancel_scheduled(sender: SendService, progress: Progress) -> bool:
    """Cancel the chunk's scheduled messages. Return False if it has to be tried again: the provider accepted no more calls, or an outcome
    is still unknown.

    A message that the provider refuses to cancel stays as it is. May run again: canceled messages are final."""
    locations = [MessageLocation(progress.campaign, progress.chunk, position) for position in range(progress.valid)]
    records = [r for r in sender.store.get([location.message_id for location in locations]) if r is not None]
    now = sender.context.clock.time()
    held = [r for r in records if not r.final and r.provider_message_id is not None and r.begins_at > now]
    answers = _cancel_all(sender, held)
    at = sender.context.clock.time()
    changes = [(r, ApplyReport(report, at, "cancel")) for r, report in answers if isinstance(report, DeliveryReport)]
    for record, change in changes:
        change(record)
    sender.store.save(changes)
    is_unsure = any(r.phase != Phase.DONE for r in records) and any(r.begins_at > now for r in records)
    return not is_unsure and not any(isinstance(answer, CallError | RequestError) for _, answer in answers)


def _cancel_all(sender: SendService, held: Sequence[MessageRecord]) -> list[Answered]:
    """Cancel a few at a time, so that a slow provider does not keep them below the rate."""
    left, answers = deque(held), list[Answered]()

    def work() -> None:
        with suppress(IndexError):
            while True:
                record = left.popleft()
                answers.append((record, _cancel(sender, record)))

    helpers = [sender.context.executor.submit(work) for _ in range(min(PARALLEL_CALLS, len(held)) - 1)]
    work()
    for helper in helpers:
        while not helper.cancel() and not helper.done():
            sender.context.clock.sleep(CHECK_AGAIN)
        if not helper.cancelled():
            helper.result()
    return answers


def _cancel(sender: SendService, record: MessageRecord) -> DeliveryReport | ConnectorError:
    try:
        return sender.provider.cancel(record.provider_message_id or "")
    except (CallError, ProviderRefused, RequestError) as error:
        return error
