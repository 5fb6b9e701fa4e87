"""LINK's wire: JSON out and in. Pure functions; only this module and `webhooks` know LINK's field names.

SMS REST API MT/DLR 1.18 (https://www.linkmobility.com/developer/), "POST /sms/send" and "Batch sending MT messages".

    | answer                                       | means                                                          |
    |----------------------------------------------|----------------------------------------------------------------|
    | 200, a message id                            | taken; one of a batch is found by its refId                    |
    | 200, no message id, a code that is a failure | refused; of a batch this message alone                         |
    | any other 2xx                                | outcome unknown: something took it                             |
    | 4xx with LINK's ErrorResponse                | refused whole, verbatim                                        |
    | 4xx without                                  | a server on the way: not sent, or unknown (`not_from_provider`) |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

import msgspec

from sms_connector.errors import OutcomeUnknown
from sms_connector.model.delivery_report import FailureReason
from sms_connector.model.message import OutboundMessage
from sms_connector.provider import SendOutcome, SendReceipt
from sms_connector.providers.common import decode
from sms_connector.providers.link_mobility.statuses import message_failure, refusal, to_status
from sms_connector.transport.http import HttpResponse


class Account(msgspec.Struct, frozen=True):
    """Whose messages they are; `gate` gets the delivery reports (None: none are asked for)."""

    platform: str
    partner: str
    gate: str | None


class ResultDocument(msgspec.Struct, frozen=True, rename="camel"):
    """The answer about one message. The text is `description` of a single one, `message` in a batch."""

    message_id: Any = None
    ref_id: Any = None
    result_code: Any = None
    description: Any = None
    message: Any = None
    sms_count: Any = None


class ErrorDocument(msgspec.Struct, frozen=True, rename="camel"):
    """An ErrorResponse: "an error code, a description and its translation". The PDFs name no fields; `status` and
    `description` are those of a client made from LINK's own model (github.com/deveel/deveel.lm.client), the others of
    other editions."""

    status: Any = None
    code: Any = None
    description: Any = None
    message: Any = None


class GateDocument(msgspec.Struct, frozen=True):
    id: Any = None


_result = msgspec.json.Decoder(ResultDocument)
_results = msgspec.json.Decoder(list[ResultDocument])
_error = msgspec.json.Decoder(ErrorDocument)
_gates = msgspec.json.Decoder(list[GateDocument])


# --- out --------------------------------------------------------------------------------------------------------------


def send_body(messages: Sequence[OutboundMessage], account: Account) -> bytes:
    """Return the request of one message (`/sms/send`) or of several (`/sms/sendbatch`)."""
    head = _head(messages[0], account)
    items = [_item(message) for message in messages]
    return msgspec.json.encode({**head, **items[0]} if len(items) == 1 else {**head, "sendRequestMessages": items})


def _head(message: OutboundMessage, account: Account) -> Mapping[str, Any]:
    """Return what holds for all messages of a call: they are of one request, so their options are the same."""
    custom = {"replySmsCount": "true"}
    if message.send_at is not None:
        custom["scheduledTime"] = message.send_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    head: dict[str, Any] = {
        "platformId": account.platform,
        "platformPartnerId": account.partner,
        # Without a gate, reports have to be declined: 106300 otherwise.
        "useDeliveryReport": account.gate is not None,
        # True by default, says the PDF, and then the answer has no ids.
        "ignoreResponse": False,
        "customParameters": custom,
    }
    if account.gate is not None:
        head["deliveryReportGates"] = [account.gate]
    if message.validity_seconds:
        head["relativeValidityTime"] = message.validity_seconds * 1000
    return head


def _item(message: OutboundMessage) -> Mapping[str, Any]:
    return {
        "source": message.sender,
        "sourceTON": _type_of_number(message.sender),
        "destination": message.to,
        "destinationTON": "MSISDN",
        "dcs": "TEXT",  # LINK chooses the encoding, and splits the text
        "userData": message.text,
        "refId": message.id,
    }


def _type_of_number(sender: str) -> str:
    if sender.startswith("+"):
        return "MSISDN"
    return "SHORTNUMBER" if sender.isdigit() else "ALPHANUMERIC"


# --- in ---------------------------------------------------------------------------------------------------------------


def read_outcomes(response: HttpResponse, messages: Sequence[OutboundMessage]) -> Sequence[SendOutcome]:
    """Return the outcome of each message in a 2xx. Raises OutcomeUnknown where it can't be read at all."""
    if len(messages) == 1:
        result = decode(_result, response.body)
        outcome = None if result is None else _read_outcome(result)
        if outcome is None:
            raise OutcomeUnknown(f"LINK answered {response.status} without a message id")
        return [outcome]
    results = decode(_results, response.body)
    if results is None:
        raise OutcomeUnknown(f"LINK answered {response.status} with a body that can't be read")
    outcomes = {result.ref_id: _read_outcome(result) for result in results if isinstance(result.ref_id, str)}
    unknown = OutcomeUnknown(f"LINK's answer says nothing about this message among {len(results)} of {len(messages)}")
    return [outcomes.get(message.id) or unknown for message in messages]


def _read_outcome(result: ResultDocument) -> SendOutcome | None:
    """Return None where the result tells neither an id nor a failure."""
    code = result.result_code if isinstance(result.result_code, int) else None
    failure = message_failure(code, _text(result.description) or _text(result.message))
    if not isinstance(result.message_id, str) or not result.message_id:
        return failure
    segments = result.sms_count if isinstance(result.sms_count, int) and result.sms_count > 0 else None
    return SendReceipt(result.message_id, to_status(code), str(code), segments, failure)


def read_refusal(response: HttpResponse) -> FailureReason | None:
    """Return LINK's refusal of a call; None where the body is no ErrorResponse, so the answer of another server."""
    document = decode(_error, response.body) if 400 <= response.status < 500 else None
    if document is None:
        return None
    code = next((each for each in (document.code, document.status) if isinstance(each, int)), None)
    text = _text(document.description) or _text(document.message)
    if code is None or text is None:
        return None
    meaning = refusal(code, response.status)
    return FailureReason("provider", meaning.kind, text, code, retry=meaning.retry)


def read_gates(response: HttpResponse) -> Sequence[str] | None:
    """Return the ids of the account's gates; None where the body is no list of gates."""
    gates = decode(_gates, response.body)
    return None if gates is None else [gate.id for gate in gates if isinstance(gate.id, str)]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
