"""Calls and their recordings, conferences with participants, queues with members.

A call's status is worked out when asked for, as a message's is: after its share of the delivery time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.twilio import numbers
from sandbox.twilio.accounts import Account
from sandbox.twilio.documents import account_path, rfc2822
from sandbox.twilio.exceptions import TwilioError
from sandbox.twilio.lifecycle import Plan, stage_at
from sandbox.twilio.resources.behaviour import Asked, Behaviour
from sandbox.twilio.resources.store import Fields, Row

ANSWERED: Plan = ((0.0, "queued"), (0.25, "ringing"), (0.5, "in-progress"), (1.0, "completed"))
RINGING: Plan = ((0.0, "queued"), (0.25, "ringing"))
# Ours, beside Twilio's: whom a call finds how. The last one talks until somebody hangs up.
CALL_OUTCOMES: Mapping[str, Plan] = {
    "+15005560001": (*RINGING, (0.5, "busy")),
    "+15005560002": (*RINGING, (1.0, "no-answer")),
    "+15005560003": ((0.0, "queued"), (0.25, "failed")),
    "+15005560004": (*RINGING, (0.5, "in-progress")),
}
# Twilio's own test numbers for calls: twilio.com/docs/iam/test-credentials.
REFUSED_CALLEES: Mapping[str, int] = {
    "+15005550001": 21217,
    "+15005550002": 21214,
    "+15005550003": 21215,
    "+15005550004": 21216,
}
BEFORE_ANSWER = frozenset({"queued", "ringing"})
ENDED = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
PRICE_PER_MINUTE = 0.013
PRICE_PER_RECORDED_MINUTE = 0.0025
CURRENT = "Twilio.CURRENT"


class Calls(Behaviour):
    kind = "Calls"
    defaults: Mapping[str, Any] = {
        "status": "queued",
        "direction": "outbound-api",
        "price_unit": "USD",
        "queue_time": "0",
    }

    def create(self, asked: Asked, fields: Fields) -> Row:
        to, sender = _endpoint(fields["to"]), _endpoint(fields["from"])
        _check_pair(asked.account, to, sender=sender, verified=self._verified(asked))
        if not any(fields.get(name) for name in ("url", "twiml", "application_sid")):
            # UNVERIFIED code; the document says that one of the three is needed.
            raise TwilioError(20001, message="Missing required parameter Url in the post body")
        return self.start(asked.account, to, sender=sender, fields=fields)

    def start(self, account: Account, to: str, *, sender: str, fields: Fields) -> Row:
        """Place a call."""
        world = self.world
        plan = {
            "_plan": CALL_OUTCOMES.get(to, ANSWERED),
            "_start": world.now(),
            "_span": world.context.settings.delivery_seconds,
        }
        formatted = {"to_formatted": numbers.national(to), "from_formatted": numbers.national(sender)}
        row = self.add(account.sid, {**fields, **plan, **formatted, "to": to, "from": sender})
        self._note_request(row, fields)
        if fields.get("record"):
            self._record(row)
        return row

    def answer_created(self, row: Row) -> Mapping[str, Any]:
        return row.fields

    def view(self, row: Row) -> Mapping[str, Any]:
        if "_plan" not in row.fields:
            return row.fields
        status, since = self.status(row)
        fields = row.fields
        dialed = fields["_start"] + 0.25 * fields["_span"]
        seen: Fields = {"status": status, "date_updated": max(since, fields["date_updated"])}
        if status != "queued" and not (status == "canceled" and since < dialed):
            seen["start_time"] = min(dialed, since)
        if status in ENDED:
            seconds = round(since - self.answered_at(row)) if status == "completed" else 0
            seen |= {"duration": str(max(seconds, 0))}
        if status == "completed":
            seen |= {"end_time": since, "price": price_of(PRICE_PER_MINUTE, int(seen["duration"]))}
        return {**fields, **seen}

    def status(self, row: Row) -> tuple[str, float]:
        """Return the status and since when."""
        fields, now = row.fields, self.world.now()
        if "_plan" not in fields:
            return fields["status"], fields["date_updated"]
        if "_ended" in fields:
            ended: tuple[str, float] = fields["_ended"]
            return ended
        fraction, status = stage_at(fields["_plan"], now - fields["_start"], span=fields["_span"])
        return status, fields["_start"] + fraction * fields["_span"]

    def answered_at(self, row: Row) -> float:
        return float(row.fields["_start"] + 0.5 * row.fields["_span"])

    def ended_at(self, row: Row) -> float | None:
        status, since = self.status(row)
        return since if status in ENDED else None

    def update(self, asked: Asked, row: Row, fields: Fields) -> None:
        wanted, (status, _) = fields.pop("status", None), self.status(row)
        if wanted == "canceled" and status not in BEFORE_ANSWER:
            raise TwilioError(21220, message="Call is not queued or ringing. Cannot cancel.")
        if wanted is None and (fields.get("url") or fields.get("twiml")) and status != "in-progress":
            raise TwilioError(21220, message="Call is not in-progress. Cannot redirect.")  # (recorded)
        if wanted is not None and status not in ENDED:
            # Hanging up on a phone that rings ends the call like canceling it does (the parameter's description).
            final = "completed" if status == "in-progress" else "canceled"
            row.fields["_ended"] = (final, self.world.now())
            if "_plan" not in row.fields:
                row.fields["status"] = final
            self._forget_recordings(row)
        super().update(asked, row, fields)

    def delete(self, asked: Asked, row: Row) -> None:
        if self.status(row)[0] not in ENDED:
            raise TwilioError(20009)
        super().delete(asked, row)

    def _verified(self, asked: Asked) -> set[str]:
        found = self.world.store.those(asked.account.sid, "OutgoingCallerIds", now=self.world.now())
        return {str(row.fields["phone_number"]) for row in found}

    def _note_request(self, row: Row, fields: Fields) -> None:
        """Keep the event that the creation of a call is."""
        path = f"https://api.twilio.com{account_path(row.account_sid)}/Calls.json"
        shown = {name: str(value) for name, value in fields.items() if "password" not in name}
        event = {
            "_key": f"{row.key}-1",
            "call_sid": row.key,
            "request": {"method": "POST", "url": path, "parameters": shown},
            "response": {
                "response_code": 201,
                "request_duration": 50,
                "content_type": "application/json",
                "response_body": f'{{"sid": "{row.key}"}}',
                "date_created": rfc2822(row.created_at),
            },
        }
        Behaviour(self.world, "Events").add(row.account_sid, event, at=row.created_at)

    def _record(self, row: Row) -> None:
        if any(status == "in-progress" for _, status in row.fields["_plan"]):
            source = {"call_sid": row.key, "source": "OutboundAPI", "_live": True}
            Recordings(self.world).add(row.account_sid, source, at=self.answered_at(row))

    def _forget_recordings(self, row: Row) -> None:
        """Of a call that ends before somebody answers nothing will be recorded."""
        shelf = self.world.store.shelf(row.account_sid, "Recordings")
        for recording in list(shelf.rows):
            if recording.fields.get("call_sid") == row.key and recording.created_at > self.world.now():
                shelf.drop(recording)


class Recordings(Behaviour):
    kind = "Recordings"
    defaults: Mapping[str, Any] = {
        "status": "in-progress",
        "source": "StartCallRecordingAPI",
        "channels": 1,
        "price_unit": "USD",
    }

    def create(self, asked: Asked, fields: Fields) -> Row:
        call = self.world.store.find(asked.account.sid, "Calls", asked.scope["call_sid"], now=self.world.now())
        if call is None or Calls(self.world).status(call)[0] != "in-progress":
            raise TwilioError(21220, message="Requested resource is not eligible for recording")  # UNVERIFIED wording
        channels = 2 if fields.pop("recording_channels", None) == "dual" else 1
        track = fields.pop("recording_track", None)
        return super().create(asked, {**fields, "_live": True, "channels": channels, "track": track})

    def find(self, asked: Asked, key: str) -> Row | None:
        if key != CURRENT:
            return super().find(asked, key)
        live = self.world.store.those(asked.account.sid, "Recordings", now=self.world.now(), **asked.scope)
        return next((row for row in reversed(list(live)) if self._is_live(row)), None)

    def view(self, row: Row) -> Mapping[str, Any]:
        fields = row.fields
        path = f"https://api.twilio.com{account_path(row.account_sid)}/Recordings/{row.key}"
        seen = {"start_time": row.created_at, "media_url": path, **fields}
        ended_at = self._ended_at(row) if fields.get("_live") else None
        if ended_at is None:
            return seen
        seconds = max(round(ended_at - row.created_at), 0)
        done = {"status": "completed", "duration": str(seconds), "price": price_of(PRICE_PER_RECORDED_MINUTE, seconds)}
        return {**seen, **done, "date_updated": ended_at}

    def update(self, asked: Asked, row: Row, fields: Fields) -> None:
        status = fields["status"]
        if status not in ("in-progress", "paused", "stopped"):
            raise TwilioError(20001, name="Status", value=str(status))
        if not self._is_live(row):
            raise TwilioError(21220, message="Recording is not in progress")  # UNVERIFIED wording
        super().update(asked, row, {"status": status})
        if status == "stopped":
            row.fields["_stopped"] = self.world.now()

    def delete(self, asked: Asked, row: Row) -> None:
        if self._is_live(row):
            raise TwilioError(20009)
        super().delete(asked, row)

    def _is_live(self, row: Row) -> bool:
        return bool(row.fields.get("_live")) and self._ended_at(row) is None

    def _ended_at(self, row: Row) -> float | None:
        stopped = row.fields.get("_stopped")
        if stopped is not None:
            return float(stopped)
        call = self.world.find(row, "Calls", row.fields.get("call_sid"))
        return None if call is None else Calls(self.world).ended_at(call)


class Conferences(Behaviour):
    kind = "Conferences"
    defaults: Mapping[str, Any] = {"status": "in-progress", "region": "us1"}

    def parent(self, asked: Asked, key: str) -> Row:
        """A participant may be added to a conference by its friendly name, which makes it where it is missing."""
        found = self.world.store.those(asked.account.sid, self.kind, now=self.world.now(), friendly_name=key)
        running = [row for row in found if row.fields["status"] != "completed"]
        if running:
            return running[-1]
        adds = (
            asked.address.is_collection and asked.address.kind == "Participants" and "POST" in asked.address.operations
        )
        if key.startswith("CF") or not adds:
            return super().parent(asked, key)
        return self.add(asked.account.sid, {"friendly_name": key})

    def update(self, asked: Asked, row: Row, fields: Fields) -> None:
        if fields.pop("status", None) == "completed":
            for participant in list(self._participants(row)):
                participant.deleted_at = self.world.now()
            self.end(row, "conference-ended-via-api")
        super().update(asked, row, fields)

    def end(self, row: Row, reason: str, *, by: str | None = None) -> None:
        ended = {"status": "completed", "reason_conference_ended": reason, "call_sid_ending_conference": by}
        row.fields |= {**ended, "date_updated": self.world.now()}

    def _participants(self, row: Row) -> list[Row]:
        found = self.world.store.those(row.account_sid, "Participants", now=self.world.now(), conference_sid=row.key)
        return list(found)


class Participants(Behaviour):
    kind = "Participants"
    defaults: Mapping[str, Any] = {"status": "connected", "start_conference_on_enter": True}

    def create(self, asked: Asked, fields: Fields) -> Row:
        to, sender = _endpoint(fields.pop("to")), _endpoint(fields.pop("from"))
        _check_pair(asked.account, to, sender=sender, verified=set())
        call = Calls(self.world).start(asked.account, to, sender=sender, fields={})
        return super().create(asked, {**fields, "call_sid": call.key})

    def find(self, asked: Asked, key: str) -> Row | None:
        """By the call's id or by its label."""
        labelled = self.world.store.those(asked.account.sid, self.kind, now=self.world.now(), label=key, **asked.scope)
        return super().find(asked, key) or next(labelled, None)

    def view(self, row: Row) -> Mapping[str, Any]:
        """As its call stands; who was put into the conference by other means is connected."""
        call = self.world.find(row, "Calls", row.key)
        if call is None or "_plan" not in call.fields:
            return row.fields
        status = STATUS_OF_CALL.get(Calls(self.world).status(call)[0], "failed")
        return {**row.fields, "status": status}

    def delete(self, asked: Asked, row: Row) -> None:
        super().delete(asked, row)
        now, conference = self.world.now(), self.world.find(row, "Conferences", row.fields["conference_sid"])
        others = self.world.store.those(
            row.account_sid, self.kind, now=now, conference_sid=row.fields["conference_sid"]
        )
        if conference is None:
            return
        if row.fields.get("end_conference_on_exit"):
            reason = "participant-with-end-conference-on-exit-kicked"
            Conferences(self.world).end(conference, reason, by=row.key)
        elif next(others, None) is None:
            Conferences(self.world).end(conference, "last-participant-kicked", by=row.key)


STATUS_OF_CALL: Mapping[str, str] = {
    "queued": "queued",
    "ringing": "ringing",
    "in-progress": "connected",
    "completed": "complete",
}


class Queues(Behaviour):
    kind = "Queues"
    # twilio.com/docs/voice/api/queue-resource: "The default is 1000 and the maximum is 5000."
    defaults: Mapping[str, Any] = {"max_size": 1000}
    sizes = range(1, 5001)

    def create(self, asked: Asked, fields: Fields) -> Row:
        self._check(fields)
        return super().create(asked, fields)

    def update(self, asked: Asked, row: Row, fields: Fields) -> None:
        self._check(fields)
        super().update(asked, row, fields)

    def view(self, row: Row) -> Mapping[str, Any]:
        now = self.world.now()
        members = list(self.world.store.those(row.account_sid, "Members", now=now, queue_sid=row.key))
        waited = sum(now - member.created_at for member in members)
        average = round(waited / len(members)) if members else 0
        return {**row.fields, "current_size": len(members), "average_wait_time": average}

    def _check(self, fields: Fields) -> None:
        if fields.get("max_size", 1) not in self.sizes:
            raise TwilioError(20001, name="MaxSize", value=str(fields["max_size"]))


class Members(Behaviour):
    kind = "Members"
    oldest_first = True

    def find(self, asked: Asked, key: str) -> Row | None:
        """By the call's id, or `Front` for who has waited longest."""
        if key != "Front":
            return super().find(asked, key)
        return next(self.world.store.those(asked.account.sid, self.kind, now=self.world.now(), **asked.scope), None)

    def view(self, row: Row) -> Mapping[str, Any]:
        now, queue = self.world.now(), row.fields["queue_sid"]
        waiting = [each.key for each in self.world.store.those(row.account_sid, self.kind, now=now, queue_sid=queue)]
        position = waiting.index(row.key) + 1 if row.key in waiting else 0
        return {
            "date_enqueued": row.created_at,
            "wait_time": int(now - row.created_at),
            **row.fields,
            "position": position,
        }

    def update(self, asked: Asked, row: Row, fields: Fields) -> None:
        """Take it out of the queue: its call goes on at the given address."""
        super().update(asked, row, fields)
        row.deleted_at = self.world.now()


def price_of(per_minute: float, seconds: int) -> str:
    """Return what was charged: begun minutes count."""
    return f"{-per_minute * max(-(-seconds // 60), 1):.5f}"


def _endpoint(text: str) -> str:
    """Return a client or SIP address as it is, a number in normal form, and what is neither as it came."""
    return text if text.startswith(("client:", "sip:")) else numbers.recipient(text) or text


def _check_pair(account: Account, to: str, *, sender: str, verified: set[str]) -> None:
    is_number = not to.startswith(("client:", "sip:"))
    if is_number and numbers.recipient(to) is None:
        raise TwilioError(21217, to=to)
    if sender == "+15005550001":
        raise TwilioError(21212, sender=sender)
    if is_number and sender not in account.numbers and sender not in verified:
        raise TwilioError(21210, sender=sender)
    if to in REFUSED_CALLEES:
        raise TwilioError(REFUSED_CALLEES[to], to=to)
