"""What the connector needs around it. Each port has an adapter in `cloud/` and one in `local/`, in files of one name.

The ledger is a small document store on purpose: get, commit, find, count. Everything that makes a send safe
(intents, leases, idempotency, exactly-once counts) is written once above it, in `store/` and `sending/`, and holds on any
store that can do these four.
"""

from sms_connector.ports.clock import Clock
from sms_connector.ports.ledger import (
    ARRAY_FIELDS,
    COLLECTIONS,
    COMPOSITE_INDEXES,
    MAX_DOCUMENT_BYTES,
    MAX_TIME,
    MAX_WRITES,
    MUST_BE_ABSENT,
    Absent,
    Condition,
    Document,
    Json,
    Ledger,
    Operator,
    Query,
    Scalar,
    Version,
    Write,
    check_writes,
    expiry,
    indexed_values,
)
from sms_connector.ports.objects import ObjectSource
from sms_connector.ports.queue import MAX_TASK_BYTES, Delivery, QueueName, Task, TaskQueue, check_task
from sms_connector.ports.secrets import Secret, SecretSource

__all__ = [
    "ARRAY_FIELDS",
    "COLLECTIONS",
    "COMPOSITE_INDEXES",
    "MAX_DOCUMENT_BYTES",
    "MAX_TASK_BYTES",
    "MAX_TIME",
    "MAX_WRITES",
    "MUST_BE_ABSENT",
    "Absent",
    "Clock",
    "Condition",
    "Delivery",
    "Document",
    "Json",
    "Ledger",
    "ObjectSource",
    "Operator",
    "Query",
    "QueueName",
    "Scalar",
    "Secret",
    "SecretSource",
    "Task",
    "TaskQueue",
    "Version",
    "Write",
    "check_task",
    "check_writes",
    "expiry",
    "indexed_values",
]
