"""Apply a report about a message: of a callback, a poll, the provider's list, a cancel or a redact.

`ApplyReport` is the change of a record. The stores handle every change alike: a poll is counted, a final status is
notified in the same commit, and a report that the recipient has opted out ends consent. The answer
to a send is the one other change with a report (`outcome.ApplyOutcome`); its opt-outs are recorded the same way.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.store.message_record import MessageRecord
from sms_connector.store.opt_outs import OptOuts
from sms_connector.store.outcome import ApplyOutcome

Source = Literal["callback", "poll", "reconcile", "cancel", "redact"]


class ApplyReport(msgspec.Struct):
    """One report, or a poll without an answer (`report` None), as a change that can be applied to any later state.

    `question`: it answers a poll, which counts as an attempt unless `attempt` is False (a look-up). `stored`: it was
    kept as a status event, and had its other effects then. `is_change` tells whether it changed the record.
    """

    report: DeliveryReport | None
    at: float
    source: Source
    question: bool = False
    attempt: bool = True
    stored: bool = False
    is_change: bool = False
    attempts: int = 0

    def __call__(self, record: MessageRecord) -> bool:
        if self.report is not None and not (self.question and record.final):
            self.is_change = record.apply_report(self.report, at=self.at, source=self.source) or self.is_change
        if self.source == "redact" and not record.redacted:
            record.redacted = self.is_change = True
        if self.question:
            record.asked(self.at, counts=self.attempt)
            # The poller may have counted polls that were not stored.
            self.attempts = record.attempts = max(record.attempts, self.attempts)
        return self.is_change

    @property
    def opt_out(self) -> str | None:
        """Return the reason to end consent; None unless this report is the first to say so."""
        failure = self.report.failure if self.report is not None and self.is_change and not self.stored else None
        return f"reported with {failure.code}" if failure is not None and failure.is_opt_out else None


def record_opt_out(opt_outs: OptOuts | None, recipient: str, change: object) -> None:
    """End the recipient's consent if the change says so, before the message is written: after a failure in between, the
    report comes again."""
    if opt_outs is not None and isinstance(change, ApplyReport | ApplyOutcome) and change.opt_out is not None:
        opt_outs.put_once(recipient, "provider", change.opt_out, at=change.at)
