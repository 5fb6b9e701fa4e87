"""The services around the connector. Each port has an adapter in `cloud/` and one in `local/`, in files of one name.

The ledger is a small document store on purpose: get, commit, find, count. Everything that makes a send safe (intents,
leases, idempotency, exactly-once counts) is written once above it, in `store/` and `sending/`, and holds on any store
that can do these four.
"""

from sms_connector.ports.clock import Clock as Clock
from sms_connector.ports.ledger import ARRAY_FIELDS as ARRAY_FIELDS
from sms_connector.ports.ledger import COLLECTIONS as COLLECTIONS
from sms_connector.ports.ledger import COMPOSITE_INDEXES as COMPOSITE_INDEXES
from sms_connector.ports.ledger import MAX_DOCUMENT_BYTES as MAX_DOCUMENT_BYTES
from sms_connector.ports.ledger import MAX_TIME as MAX_TIME
from sms_connector.ports.ledger import MAX_WRITES as MAX_WRITES
from sms_connector.ports.ledger import MUST_BE_ABSENT as MUST_BE_ABSENT
from sms_connector.ports.ledger import Absent as Absent
from sms_connector.ports.ledger import Condition as Condition
from sms_connector.ports.ledger import Document as Document
from sms_connector.ports.ledger import Json as Json
from sms_connector.ports.ledger import Ledger as Ledger
from sms_connector.ports.ledger import Operator as Operator
from sms_connector.ports.ledger import Query as Query
from sms_connector.ports.ledger import Scalar as Scalar
from sms_connector.ports.ledger import Version as Version
from sms_connector.ports.ledger import Write as Write
from sms_connector.ports.ledger import check_writes as check_writes
from sms_connector.ports.ledger import expiry as expiry
from sms_connector.ports.ledger import indexed_values as indexed_values
from sms_connector.ports.objects import ObjectSource as ObjectSource
from sms_connector.ports.queue import MAX_TASK_BYTES as MAX_TASK_BYTES
from sms_connector.ports.queue import Delivery as Delivery
from sms_connector.ports.queue import QueueName as QueueName
from sms_connector.ports.queue import Task as Task
from sms_connector.ports.queue import TaskQueue as TaskQueue
from sms_connector.ports.queue import check_task as check_task
from sms_connector.ports.secrets import Secret as Secret
from sms_connector.ports.secrets import SecretSource as SecretSource
from sms_connector.ports.secrets import SecretVersions as SecretVersions
from sms_connector.ports.secrets import secret_digest as secret_digest
