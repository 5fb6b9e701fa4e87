"""Feedback on calls and its summaries: withdrawn, but it can be played as it was.

Twilio announced that both stop answering after 2023-12-31, and its description dropped them with release 1.55.0
(2024-02-27, github.com/twilio/twilio-oai). UNVERIFIED what the withdrawn addresses answer today; a 404 is what any address
answers that is none. Fields as in the last description that had them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from statistics import fmean, median, pstdev
from typing import Any

from sandbox.twilio.documents import rfc2822
from sandbox.twilio.exceptions import TwilioError
from sandbox.twilio.resources.behaviour import World
from sandbox.twilio.resources.description import HEX
from sandbox.twilio.resources.store import Row
from sandbox.twilio.responses import NO_CONTENT, Call
from sandbox.twilio.routes import Route
from sandbox.wire import Reply, json_reply

ISSUES = frozenset(
    {
        *("audio-latency", "digits-not-captured", "dropped-call", "imperfect-audio", "incorrect-caller-id"),
        *("one-way-audio", "post-dial-delay", "unsolicited-call"),
    }
)
FEEDBACK, SUMMARIES = "CallFeedback", "FeedbackSummaries"
BASE = f"/2010-04-01/Accounts/(?P<account>AC{HEX})/Calls"


@dataclass(slots=True)
class CallFeedback:
    """`withdrawn` is the switch."""

    world: World
    withdrawn: bool = True

    def routes(self) -> list[Route]:
        one = f"{BASE}/FeedbackSummary/(?P<Sid>FS{HEX})\\.json"
        return [
            Route(re.compile(f"{BASE}/FeedbackSummary\\.json"), {"POST": self._summarize}),
            Route(re.compile(one), {"GET": self._fetch_summary, "DELETE": self._delete_summary}),
            Route(re.compile(f"{BASE}/(?P<Sid>CA{HEX})/Feedback\\.json"), {"POST": self._give, "GET": self._fetch}),
        ]

    def _give(self, call: Call) -> Reply:
        key, form, now = self._call_sid(call), call.form(), self.world.now()
        score, issues = form.get("QualityScore") or "", form.all("Issue")
        if score not in ("1", "2", "3", "4", "5"):
            raise TwilioError(20001, name="QualityScore", value=score)
        if not ISSUES.issuperset(issues):
            raise TwilioError(20001, name="Issue", value=",".join(issues))
        fields = {"sid": key, "quality_score": int(score), "issues": list(issues), "date_updated": now}
        row = self.world.store.add(FEEDBACK, call.account.sid, key, at=now, fields=fields)
        return json_reply(200, _shown(row))

    def _fetch(self, call: Call) -> Reply:
        return json_reply(200, _shown(self._found(call, FEEDBACK, self._call_sid(call))))

    def _summarize(self, call: Call) -> Reply:
        self._refuse_withdrawn(call)
        form = call.form()
        first, last = (_day(name, form.get(name)) for name in ("StartDate", "EndDate"))
        if last < first:
            raise TwilioError(20001, name="EndDate", value=last)
        now, key = self.world.now(), self.world.sid("FS")
        fields = {
            "sid": key,
            "start_date": first,
            "end_date": last,
            "include_subaccounts": (form.get("IncludeSubaccounts") or "false").lower() == "true",
            "status": "completed",
            "date_updated": now,
            **self._scores(call, first, last),
        }
        return json_reply(201, _shown(self.world.store.add(SUMMARIES, call.account.sid, key, at=now, fields=fields)))

    def _fetch_summary(self, call: Call) -> Reply:
        self._refuse_withdrawn(call)
        return json_reply(200, _shown(self._found(call, SUMMARIES, call.places["Sid"])))

    def _delete_summary(self, call: Call) -> Reply:
        self._refuse_withdrawn(call)
        self._found(call, SUMMARIES, call.places["Sid"]).deleted_at = self.world.now()
        return NO_CONTENT

    def _scores(self, call: Call, first: str, last: str) -> dict[str, Any]:
        """Sum up the feedback on calls of these days."""
        store, now, sid = self.world.store, self.world.now(), call.account.sid
        calls = [row for row in store.those(sid, "Calls", now=now) if first <= _iso_day(row.created_at) <= last]
        given = [row for each in calls if (row := store.find(sid, FEEDBACK, each.key, now=now))]
        scores = [row.fields["quality_score"] for row in given]
        named = Counter(issue for row in given for issue in row.fields["issues"])
        return {
            "call_count": len(calls),
            "call_feedback_count": len(given),
            "issues": [
                {"description": issue, "count": count, "percentage_of_total_calls": f"{count / len(calls):.2%}"}
                for issue, count in sorted(named.items())
            ],
            "quality_score_average": fmean(scores) if scores else None,
            "quality_score_median": median(scores) if scores else None,
            "quality_score_standard_deviation": pstdev(scores) if scores else None,
        }

    def _call_sid(self, call: Call) -> str:
        self._refuse_withdrawn(call)
        return self._found(call, "Calls", call.places["Sid"]).key

    def _found(self, call: Call, kind: str, key: str) -> Row:
        row = self.world.store.find(call.account.sid, kind, key, now=self.world.now())
        if row is None:
            raise call.not_found()
        return row

    def _refuse_withdrawn(self, call: Call) -> None:
        if self.withdrawn:
            raise call.not_found()


def _shown(row: Row) -> Mapping[str, Any]:
    dates = {"date_created": rfc2822(row.created_at), "date_updated": rfc2822(row.fields["date_updated"])}
    return {**row.fields, "account_sid": row.account_sid, **dates}


def _day(name: str, text: str | None) -> str:
    try:
        return date.fromisoformat(text or "").isoformat()
    except ValueError:
        raise TwilioError(20001, name=name, value=text or "") from None


def _iso_day(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).date().isoformat()
