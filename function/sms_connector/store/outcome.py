"""The outcome of a call, as a change that can be applied to any later state of the message.

During the call a callback may have settled the message, or another node may have found our lease ended and looked the
outcome up. So an accepted call always counts, and a failed one only if the message still stands for that call.
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
from sms_connector.model.status import MessageStatus
from sms_connector.provider import SendOutcome, SendReceipt
from sms_connector.store.message_record import MessageRecord, Phase

OPTED_OUT = FailureReason(
    source="connector",
    kind=ErrorKind.OPTED_OUT,
    message="the recipient has opted out: no call was made; DELETE /v1/optOuts/{number} once consent is given again",
)


# Refusals of a call for what was wrong at that moment.
_ABOUT_NOW = frozenset({ErrorKind.AUTHENTICATION, ErrorKind.ACCOUNT, ErrorKind.RATE_LIMITED, ErrorKind.QUEUE_FULL})


class ApplyOutcome(msgspec.Struct, frozen=True):
    """`holder` and `resends` identify the call: under which lease, and which repetition."""

    outcome: SendOutcome | ConnectorError
    at: float
    window: float
    holder: str | None
    resends: int

    def __call__(self, record: MessageRecord) -> None:
        if isinstance(self.outcome, SendReceipt):
            record.apply_report(_report_of(self.outcome), at=self.at, source="send")
        elif self._is_about(record):
            self._note_failure(record, _failure(self.outcome))

    @property
    def opt_out(self) -> str | None:
        """Return the reason to end consent, if the provider refused the message for that."""
        failure = self.outcome.failure if isinstance(self.outcome, SendReceipt) else _failure(self.outcome)
        return f"refused with {failure.code}" if failure is not None and failure.is_opt_out else None

    def _is_about(self, record: MessageRecord) -> bool:
        """Return whether no other call has begun since."""
        other_call = record.phase == Phase.CALLING and record.holder != self.holder
        return record.resends == self.resends and not other_call

    def _note_failure(self, record: MessageRecord, failure: FailureReason) -> None:
        if isinstance(self.outcome, OutcomeUnknown):
            record.mark_unknown(failure.message, at=self.at, window=self.window)
        elif self.resends and (failure.source != "provider" or failure.kind in _ABOUT_NOW):
            # It does not tell the outcome of earlier calls.
            record.mark_unknown(f"sent again, without success: {failure.message}", at=self.at, window=self.window)
        else:
            record.refuse(failure, at=self.at)


class Resend(msgspec.Struct):
    """Begin another call of a message whose caller asked for at least once, `most` times. `harmless`: of any whose
    outcome is unknown, also after its window: the provider takes it once only. `taken` is False if another request was
    quicker or a callback has settled it."""

    holder: str
    at: float
    most: int
    harmless: bool = False
    taken: bool = False

    def __call__(self, record: MessageRecord) -> None:
        self.taken = self.is_due(record)
        if self.taken:
            record.phase, record.holder = Phase.CALLING, self.holder
            record.resends += 1
            record.note(self.at, "connector", "resend")

    def is_due(self, record: MessageRecord) -> bool:
        if self.harmless:
            return record.phase != Phase.CALLING and record.status is MessageStatus.UNKNOWN
        return record.phase == Phase.UNKNOWN and record.resends < self.most


def _failure(outcome: FailureReason | ConnectorError) -> FailureReason:
    return outcome if isinstance(outcome, FailureReason) else failure_of(outcome)


def failure_of(error: ConnectorError) -> FailureReason:
    """Return an error as the message's failure, in its source's words."""
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
