"""The tables of statuses and errors, and what is not in them."""

from __future__ import annotations

import pytest

from sms_connector.errors import ErrorKind, RetrySafety
from sms_connector.model.delivery_report import DeliveryReport
from sms_connector.model.status import MessageStatus
from sms_connector.providers.infobip.statuses import to_status
from sms_connector.providers.infobip.wire import read_callback, read_reports
from tests.providers.infobip import infobip_wire as wire

URL = "https://sms.example.com/webhooks/infobip/status/0123456789abcdef"


@pytest.mark.parametrize(
    ("group", "name", "status"),
    [
        (0, "SOMETHING", MessageStatus.ACCEPTED),
        (1, "PENDING_NEW", MessageStatus.QUEUED),
        (2, "UNDELIVERABLE_NEW", MessageStatus.UNDELIVERED),
        (3, "DELIVERED_NEW", MessageStatus.DELIVERED),
        (4, "EXPIRED_NEW", MessageStatus.UNDELIVERED),
        (4, "SIGNALS_BLOCKED", MessageStatus.UNDELIVERED),
        (5, "SIGNALS_BLOCKED", MessageStatus.FAILED),
        (5, "REJECTED_NEW", MessageStatus.FAILED),
        (6, "ANOTHER_GROUP", MessageStatus.ACCEPTED),
        (None, "DELIVERED_TO_HANDSET", MessageStatus.ACCEPTED),
    ],
)
def test_the_group_decides(group: int | None, name: str, status: MessageStatus) -> None:
    assert to_status(group, name) is status


def reported(status: str, error: dict[str, object] | None = None) -> DeliveryReport:
    (report,) = read_reports(read_callback(wire.callback(URL, [wire.report("msg_1", status, error)])))
    return report


UNDELIVERED = "UNDELIVERABLE_NOT_DELIVERED"
FAILURES: list[tuple[str, int, str, bool, ErrorKind, RetrySafety]] = [
    ("unknown number", 1, "EC_UNKNOWN_SUBSCRIBER", True, ErrorKind.INVALID_RECIPIENT, RetrySafety.NEVER),
    ("absent", 27, "EC_ABSENT_SUBSCRIBER", False, ErrorKind.UNREACHABLE, RetrySafety.SAFE),
    ("full inbox", 256, "EC_SM_DF_MEMORYCAPACITYEXCEEDED", False, ErrorKind.UNREACHABLE, RetrySafety.SAFE),
    ("blocked by the user", 573, "EC_SC_BLOCKED_BY_END_USER", True, ErrorKind.OPTED_OUT, RetrySafety.NEVER),
    ("stopped", 603, "EC_CONTENT_BLOCKED", True, ErrorKind.OPTED_OUT, RetrySafety.NEVER),
    ("on the blocklist", 2052, "EC_BLACKLISTED_DESTINATIONADDRESS", True, ErrorKind.OPTED_OUT, RetrySafety.NEVER),
    ("do not disturb", 2050, "EC_DEST_ADDRESS_BLACKLISTED", True, ErrorKind.BLOCKED, RetrySafety.NEVER),
    ("spam", 607, "EC_REJECTED_SPAM_BY_OPERATOR", True, ErrorKind.BLOCKED, RetrySafety.NEVER),
    ("bad source", 368, "EC_INVALID_SOURCE_ADDRESS", True, ErrorKind.INVALID_SENDER, RetrySafety.NEVER),
    ("quota", 541, "EC_LIMIT_REACHED", False, ErrorKind.QUEUE_FULL, RetrySafety.SAFE),
    ("time-out", 2048, "EC_TIME_OUT", False, ErrorKind.TIMEOUT, RetrySafety.UNKNOWN_OUTCOME),
    ("expired", 4101, "EC_VALIDITY_EXPIRED", True, ErrorKind.EXPIRED, RetrySafety.SAFE),
]


@pytest.mark.parametrize(
    ("number", "name", "permanent", "kind", "retry"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES]
)
def test_a_delivery_error(number: int, name: str, permanent: bool, kind: ErrorKind, retry: RetrySafety) -> None:
    failure = reported(UNDELIVERED, wire.error(number, name, permanent=permanent)).failure
    assert failure is not None
    assert (failure.source, failure.kind, failure.code, failure.retry) == ("provider", kind, number, retry)
    assert failure.message.endswith(f"({name})")


@pytest.mark.parametrize(
    ("group", "kind"),
    [(1, ErrorKind.UNREACHABLE), (2, ErrorKind.OTHER), (3, ErrorKind.DELIVERY), (9, ErrorKind.DELIVERY)],
)
@pytest.mark.parametrize(("permanent", "retry"), [(True, RetrySafety.NEVER), (False, RetrySafety.SAFE)])
def test_an_error_that_is_new_means_what_its_group_says(
    group: int, kind: ErrorKind, permanent: bool, retry: RetrySafety
) -> None:
    failure = reported(UNDELIVERED, wire.error(9999, "EC_NEW", group=group, permanent=permanent)).failure
    assert failure is not None
    assert (failure.kind, failure.retry, failure.code) == (kind, retry, 9999)


@pytest.mark.parametrize("error", [None, wire.error(4097, "EC_NOTSUBMITTEDTOGMSC", group=3, permanent=False)])
@pytest.mark.parametrize(
    ("name", "kind", "code", "retry"),
    [
        ("EXPIRED_EXPIRED", ErrorKind.EXPIRED, 15, RetrySafety.UNKNOWN_OUTCOME),
        ("REJECTED_DESTINATION", ErrorKind.INVALID_RECIPIENT, 52, RetrySafety.NEVER),
        ("UNDELIVERABLE_NOT_SENT", ErrorKind.DELIVERY, 31, RetrySafety.SAFE),
    ],
)
def test_without_an_error_that_says_why_the_status_is_the_reason(
    name: str, kind: ErrorKind, code: int, retry: RetrySafety, error: dict[str, object] | None
) -> None:
    failure = reported(name, error).failure
    assert failure is not None
    assert (failure.kind, failure.code, failure.retry) == (kind, code, retry)


def test_an_error_beside_another_status_is_no_failure() -> None:
    assert reported("DELIVERED_TO_HANDSET", wire.error(27, "EC_ABSENT_SUBSCRIBER")).failure is None
