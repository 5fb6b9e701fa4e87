"""The status of a message: one ranked vocabulary for all providers.

    accepted → scheduled → queued → sending → sent → delivered → read
                                                   ↘ undelivered, failed, canceled, expired, error

Reports arrive late, twice and out of order, so a status only moves up in rank, and a final one stays.
"""

from __future__ import annotations

from enum import StrEnum


class MessageStatus(StrEnum):
    """`accepted`: we or the provider accepted the message; `unknown`: whether it was accepted is unknown; `error`: it
    was refused; `expired`: no update came within the time a message may take. The rest are the carriers' terms."""

    ACCEPTED = "accepted"
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    CANCELED = "canceled"
    READ = "read"
    EXPIRED = "expired"
    ERROR = "error"
    UNKNOWN = "unknown"

    @property
    def final(self) -> bool:
        """Return whether tracking stops: nothing more is expected."""
        return self in FINAL

    @property
    def rank(self) -> int:
        """Return how far on its way: 0 (`accepted`) to 6 (`read`). `unknown` is 0: it claims nothing beyond
        `accepted`."""
        return _RANKS[self]


_BY_RANK = (
    (MessageStatus.UNKNOWN, MessageStatus.ACCEPTED),
    (MessageStatus.SCHEDULED,),
    (MessageStatus.QUEUED,),
    (MessageStatus.SENDING,),
    (MessageStatus.SENT,),
    tuple(map(MessageStatus, ("delivered", "undelivered", "failed", "canceled", "expired", "error"))),
    (MessageStatus.READ,),
)
_RANKS = {status: rank for rank, statuses in enumerate(_BY_RANK) for status in statuses}
FINAL = frozenset({MessageStatus.UNKNOWN, *_BY_RANK[5], *_BY_RANK[6]})


def advance(current: MessageStatus, reported: MessageStatus) -> MessageStatus:
    """Return the status after a report: the higher in rank, except that a final status stays.

    Two final statuses yield: `unknown` to any later report, and `delivered` to `read`. A reported `unknown` replaces
    only `accepted`.
    """
    yields = current is MessageStatus.UNKNOWN or (current is MessageStatus.DELIVERED and reported is MessageStatus.READ)
    if current.final and not yields:
        return current
    return reported if reported.rank >= current.rank else current
