"""All that is known of a campaign's message that went wrong, in order of time: ledger, provider's journal, callbacks, kills."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from .audit import Case
from .campaign_client import CampaignClient
from .campaign_stage import CampaignStage

Line = tuple[float, str]


class Teller:
    """The journals are read once for all stories, and not at all where there are none."""

    def __init__(self, stage: CampaignStage, client: CampaignClient, kills: Sequence[float]) -> None:
        self._nodes = stage.nodes
        self._client = client
        self._kills = kills
        self._stage = stage

    def tell(self, case: Case) -> str:
        """A line per event; times are seconds since the first."""
        messages = [self._client.get(f"/v1/messages/{message['id']}") for message in case.messages]
        lines = sorted([*self._provider(case), *(line for message in messages for line in _history(message))])
        begun, ended = (lines[0][0], lines[-1][0]) if lines else (0.0, 0.0)
        lines = sorted([*lines, *((at, "KILL") for at in self._kills if begun - 5 <= at <= ended + 5)])
        told = [f"  {at - begun:8.3f}  {what}" for at, what in lines]
        wanted = [f"  wanted by {report.request.key} to {report.intent.to}: {report.id}" for report in case.reports]
        has = [f"  provider has {document['sid']} {document['statuses']}" for document in case.witness]
        return "\n".join([repr(case.text), *wanted, *has, *told, *(f"  {message}" for message in messages)])

    @cached_property
    def _journal(self) -> list[dict[str, Any]]:
        return self._stage.sandbox.journal(method="POST")

    @cached_property
    def _callbacks(self) -> list[dict[str, Any]]:
        return self._stage.sandbox.callbacks()

    def _provider(self, case: Case) -> Iterator[Line]:
        for entry in self._journal:
            if case.text in (entry["form"].get("Body"), *_texts(entry)):
                node = self._nodes.get(host_of(entry), "?")
                yield entry["epoch"], f"provider: POST by {node}, fault {entry['fault']}, answered {entry['status']}"
        sids = {document["sid"] for document in case.witness}
        for attempt in self._callbacks:
            if attempt["subject"] in sids:
                got = attempt["status"] or attempt["error"]
                yield attempt["epoch"], f"callback: {attempt['label']}, attempt {attempt['attempt']}, answered {got}"


def _texts(entry: Mapping[str, Any]) -> Iterator[str]:
    """Return the texts of a body that is no form."""
    body = entry.get("body") or ""
    yield from re.findall(r"Campaign soak \d+: order \d+ ships today\.", body)


def _history(message: Mapping[str, Any]) -> Iterator[Line]:
    for entry in message.get("history", ()):
        at = datetime.fromisoformat(entry["at"]).timestamp()
        yield at, f"ledger: {entry['status']} by {entry['source']} {entry['providerStatus'] or ''}"


def host_of(entry: Mapping[str, Any]) -> str:
    return next((value for name, value in entry["headers"].items() if name.lower() == "host"), "")
