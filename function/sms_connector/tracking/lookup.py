"""Look up, list, cancel and redact messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec

from sms_connector.errors import NotFound, PreconditionFailed, UnsupportedOperation
from sms_connector.model.person import person_key
from sms_connector.model.policy import Policy
from sms_connector.model.send_request import MessageFilter
from sms_connector.ports import Clock
from sms_connector.ports.ledger_access import Cursor
from sms_connector.provider import Provider
from sms_connector.store.apply_report import ApplyReport
from sms_connector.store.message_record import MessageRecord
from sms_connector.store.message_store import MessageStore, PersonQuery
from sms_connector.tracking.poller import Poller, PollOptions

LOOK_UP = PollOptions(keep=True, attempt=False)


class MessageLookup(msgspec.Struct, frozen=True):
    """Reads, cancels and redacts messages."""

    provider: Provider
    store: MessageStore
    poller: Poller
    clock: Clock
    policy: Policy

    def get(self, message_id: str) -> MessageRecord:
        """Return the message with its whole history; it is polled if the last update or poll is older than the
        interval.

        Raises NotFound."""
        record = self._read(message_id)
        first = self._read(record.same_as) if record.same_as and not record.final else record
        if not first.final and first.due_at <= self.clock.time():
            self._refresh(first)
            record = record if first is record else self._read(message_id)
        self.store.fill_history(record)
        return record

    def list(
        self, wanted: MessageFilter, *, limit: int, after: Cursor | None = None
    ) -> tuple[list[MessageRecord], Cursor | None]:
        """Return messages of requests and of campaigns, newest first; the second value is where the next page begins.

        At most `policy.list_examines` messages are read: a page of a rare status may be short or empty, and still have
        a next page.
        """
        if wanted.provider_message_id:
            owner = self.store.find_by_provider_id(wanted.provider_message_id)
            return [record for record in self.store.get([owner]) if record] if owner else [], None
        person = wanted.to and person_key(wanted.to)
        query = PersonQuery(
            person,
            wanted.reference if person is None else None,
            wanted.campaign if person is None and wanted.reference is None else None,
            since=wanted.created_after,
            until=wanted.created_before,
            after=after,
            page=limit + 1,
        )
        page: list[MessageRecord] = []
        end, examined = after, 0
        candidates = self.store.newest(query)
        while examined < self.policy.list_examines:
            part = list(islice(candidates, limit + 1))
            for cursor, record in self._refresh_open(part):
                if _matches(record, wanted, person):
                    if len(page) == limit:
                        return page, end
                    page.append(record)
                end = cursor
            if len(part) <= limit:
                return page, None
            examined += len(part)
        return page, end

    def _refresh_open(self, part: Sequence[tuple[Cursor, MessageRecord]]) -> Iterator[tuple[Cursor, MessageRecord]]:
        """Apply the events of campaigns' messages that are not merged into their blocks yet."""
        wanted = [record.id for _, record in part if record.campaign is not None and record.may_yield]
        fresh = {record.id: record for record in self.store.get(wanted) if record is not None} if wanted else {}
        return ((cursor, fresh.get(record.id, record)) for cursor, record in part)

    def cancel(self, message_id: str) -> MessageRecord:
        """Cancel a message. Raises NotFound, PreconditionFailed (already final, or not supported) and the provider's
        error."""
        record = self._read(message_id)
        self._require(self.provider.capabilities.cancel, "cancel")
        if record.final:
            raise PreconditionFailed(f"the message is {record.status} already: there is nothing to cancel")
        report = self.provider.cancel(self._provider_id(record))
        self.store.apply(record, ApplyReport(report, self.clock.time(), "cancel"))
        return record

    def redact(self, message_id: str) -> MessageRecord:
        """Have the provider delete the text. Raises as `cancel`."""
        record = self._read(message_id)
        self._require(self.provider.capabilities.redact, "redact")
        report = self.provider.redact(self._provider_id(record))
        self.store.apply(record, ApplyReport(report, self.clock.time(), "redact"))
        return record

    def _read(self, message_id: str) -> MessageRecord:
        [record] = self.store.get([message_id])
        if record is None:
            raise NotFound(f"no message {message_id}; ids begin with msg_ and are kept for 30 days")
        return record

    def _refresh(self, record: MessageRecord) -> None:
        """Poll, even if the attempts are used up, without using one."""
        unpolled = self.poller.poll([record], how=LOOK_UP)
        self.poller.expire([record], unpolled=unpolled)

    def _require(self, able: bool, what: str) -> None:
        if not able:
            raise UnsupportedOperation(f"{self.provider.name} can't {what} a message")

    def _provider_id(self, record: MessageRecord) -> str:
        if record.provider_message_id is None:
            raise PreconditionFailed(
                "the provider's id of the message is not known (yet): its outcome is open or it was never taken"
            )
        return record.provider_message_id


def _matches(record: MessageRecord, wanted: MessageFilter, person: str | None) -> bool:
    return (
        (person is None or person_key(record.to) == person)
        and (wanted.status is None or record.status == wanted.status)
        and (wanted.reference is None or record.reference == wanted.reference)
        and (wanted.campaign is None or record.campaign == wanted.campaign)
        and (wanted.created_after is None or record.created_at >= wanted.created_after)
        and (wanted.created_before is None or record.created_at < wanted.created_before)
    )
