"""Why a message was refused or failed, as its document in the ledger has it."""

from __future__ import annotations

from sms_connector.errors import ErrorKind, RetrySafety
from sms_connector.model.delivery_report import FailureReason
from sms_connector.ports import Json


def failure_to_json(failure: FailureReason | None) -> Json | None:
    if failure is None:
        return None
    values = {
        "source": failure.source,
        "kind": str(failure.kind),
        "code": failure.code,
        "message": failure.message,
        "moreInfo": failure.more_info,
        "retry": str(failure.retry),
    }
    return {name: value for name, value in values.items() if value is not None}


def failure_from_json(data: Json | None) -> FailureReason | None:
    if data is None:
        return None
    kind, retry = ErrorKind(data["kind"]), RetrySafety(data["retry"])
    return FailureReason(data["source"], kind, data["message"], data.get("code"), data.get("moreInfo"), retry)
