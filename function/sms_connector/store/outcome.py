"""What a call brought, as changes that can be applied to any later state of the message.

While we were calling, a callback may have settled the message, or another node may have declared our lease ended and looked into
it. So good news always counts, and bad news only where it speaks of the call that the message stands for.
"""

from __future__ import annotations

import msgspec

from sms_connector.errors import (
    ConnectorError,
    CredentialsMissing,
    ErrorKind,
    NotSent,
    OutcomeUnknown,
    ProviderRefused,
    RequestError,
    RetrySafety,
)
from sms_connector.model.delivery_report import DeliveryReport, FailureReason
from sms_connector.provider import SendOutcome, SendReceipt
from sms_connector.store.message_record import MessageRecord, Phase

OPTED_OUT = FailureReason(
    source="connector",
    kind=ErrorKind.OPTED_OUT,
    message="the recipient has opted out: no call was made; DELETE /v1/optOuts/{number} once consent is given again",
)


class ApplyOutcome(msgspec.Struct, frozen=True):
    """`holder` and `resends` say which call it was: the message's first one, or which repetition, under whose lease."""

    outcome: SendOutcome | ConnectorError
    at: float
    window: float
    holder: str | None
    resends: int

    def __call__(self, record: MessageRecord) -> None:
        if isinstance(self.outcome, SendReceipt):
            record.apply_report(_report_of(self.outcome), at=self.at, source="send")
        elif self._is_about(record):
            self._note_failure(record)

    @property
    def opt_out(self) -> str | None:
        """Why the recipient counts as opted out, where the provider has refused the message for that."""
        outcome = self.outcome
        if isinstance(outcome, FailureReason):
            failure: FailureReason | None = outcome
        else:
            failure = outcome.failure if isinstance(outcome, SendReceipt) else failure_of(outcome)
        return f"refused with {failure.code}" if failure is not None and failure.is_opt_out else None

    def _is_about(self, record: MessageRecord) -> bool:
        """Nobody has begun another call since."""
        other_call = record.phase == Phase.CALLING and record.holder != self.holder
        return record.resends == self.resends and not other_call

    def _note_failure(self, record: MessageRecord) -> None:
        failure = self.outcome if isinstance(self.outcome, FailureReason) else failure_of(self.outcome)
        if isinstance(self.outcome, OutcomeUnknown):
            record.mark_unknown(failure.message, at=self.at, window=self.window)
        elif self.resends and failure.source != "provider":  # says nothing of the times before
            record.mark_unknown(f"sent again, without success: {failure.message}", at=self.at, window=self.window)
        else:
            record.refuse(failure, at=self.at)


class Resend(msgspec.Struct):
    """The caller asked for at least once: the message is called again. `taken` says whether that is ours to do: another
    request may have been quicker, or a callback may have settled it."""

    holder: str
    at: float
    most: int
    taken: bool = False

    def __call__(self, record: MessageRecord) -> None:
        self.taken = record.phase == Phase.UNKNOWN and record.resends < self.most
        if self.taken:
            record.phase, record.holder = Phase.CALLING, self.holder
            record.resends += 1
            record.note(self.at, "connector", "resend")


def failure_of(error: SendReceipt | ConnectorError) -> FailureReason:
    """An error as the message's failure, in the words of whoever raised it."""
    if isinstance(error, ProviderRefused):
        return FailureReason("provider", error.kind, str(error), error.code, error.more_info)
    if isinstance(error, RequestError):
        return FailureReason("connector", error.kind, str(error), retry=error.retry)
    kind = error.kind if isinstance(error, NotSent) else ErrorKind.UNAVAILABLE
    source = "provider" if isinstance(error, CredentialsMissing) else "transport"
    return FailureReason(source, kind, str(error), retry=RetrySafety.SAFE)


def _report_of(receipt: SendReceipt) -> DeliveryReport:
    return DeliveryReport(
        receipt.provider_message_id,
        receipt.status,
        receipt.raw_status,
        failure=receipt.failure,
        segments=receipt.segments,
    )
