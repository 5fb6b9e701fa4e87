"""When a message is in which status.

Nothing ticks: a plan says after which part of the delivery time each status begins, and the status is worked out when
somebody asks. All messages of one sort share one plan.
"""

from __future__ import annotations

import math
from functools import cache

from sandbox.twilio.numbers import Course, Outcome

# (fraction of the delivery time, status), ascending.
Plan = tuple[tuple[float, str], ...]

RECEIVED: Plan = ((0.0, "received"),)
FINAL = frozenset({"delivered", "undelivered", "failed", "canceled", "received", "read"})
HANDED_OVER = frozenset({"sent", "delivered", "undelivered", "read", "received"})


@cache
def plan_for(outcome: Outcome, *, service: bool) -> Plan:
    """Return the stages of an outbound message; one from a messaging service begins as accepted, without a sender."""
    head: Plan = ((0.0, "accepted"), (0.1, "queued")) if service else ((0.0, "queued"),)
    if outcome.course is Course.STAYS_QUEUED:
        # Its time is the validity period, at the end of which it fails.
        return (*head, (1.0, "failed"))
    if outcome.course is Course.STAYS_SENT:
        return (*head, (0.25, "sending"), (0.5, "sent"))
    if outcome.failure is None:
        return (*head, (0.25, "sending"), (0.5, "sent"), (1.0, "delivered"))
    if outcome.failure.status == "failed":
        return (*head, (0.25, "sending"), (1.0, "failed"))
    return (*head, (0.25, "sending"), (0.5, "sent"), (1.0, outcome.failure.status))


def stage_at(plan: Plan, elapsed: float, *, span: float) -> tuple[float, str]:
    """Return the stage reached `elapsed` seconds after the start of a delivery that takes `span` seconds."""
    reached = elapsed / span if span > 0 else math.inf
    stage = plan[0]
    for candidate in plan:
        if candidate[0] > reached:
            break
        stage = candidate
    return stage


def sent_fraction(plan: Plan) -> float | None:
    """Return when the message is handed over, None if it never is."""
    return next((fraction for fraction, status in plan if status in HANDED_OVER), None)
