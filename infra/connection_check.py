"""The apply proves itself: the deployed connector is asked whether its connection works, and the answer is an output.

The answer is data (`connection:test` in docs/http-api.md). A connector that can't be asked is an ERROR with the reason;
the apply fails only where the configuration says `requireActive`.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NoReturn

import pulumi

STATES = ("ACTIVE", "AUTH_ERROR", "ERROR")
# A grant takes 2 minutes to act, at times 7 and more (https://cloud.google.com/iam/docs/access-change-propagation), a
# first instance some seconds to start.
NOT_YET = frozenset({401, 403, 404, 429, 503})
PATIENCE_SECONDS = 420.0
PAUSE_SECONDS = 5.0

Fetch = Callable[[str, str], tuple[int, bytes]]
Mint = Callable[[str, str], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Verdict:
    state: str
    description: str
    latency_millis: int | None = None

    def output(self) -> dict[str, object]:
        return {"state": self.state, "description": self.description, "latencyMillis": self.latency_millis}


IN_PREVIEW = Verdict("UNKNOWN", "a preview makes no call; the state is known after the update")


@dataclass(frozen=True, slots=True)
class Check:
    """How a connector is asked. `mint` makes an identity token for (account, audience), `fetch` posts and returns
    status and body."""

    mint: Mint
    fetch: Fetch
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    async def run(self, url: str, account: str) -> Verdict:
        try:
            token = await self.mint(account, url)
        except Exception as refusal:  # noqa: BLE001 - the engine hands over every failure of a provider's function as this
            return Verdict("ERROR", f"not asked: no identity token for {account} ({_reason(refusal)}); {MAY_MINT}")
        return await asyncio.to_thread(self.ask, f"{url}/v1/connection:test", token)

    def ask(self, url: str, token: str) -> Verdict:
        """Return the connector's answer. A 'not yet' of the platform and a time-out are asked again while patience
        lasts."""
        until = self.clock() + PATIENCE_SECONDS
        while True:
            verdict, final = self._attempt(url, token)
            if final or self.clock() + PAUSE_SECONDS > until:
                return verdict
            self.sleep(PAUSE_SECONDS)

    def _attempt(self, url: str, token: str) -> tuple[Verdict, bool]:
        """Ask once. Return the verdict, and whether asking again would change nothing."""
        try:
            status, body = self.fetch(url, token)
        except OSError as failure:
            unreachable = Verdict("ERROR", f"not asked: {url} can't be reached ({_reason(failure)})")
            return unreachable, not isinstance(getattr(failure, "reason", failure), TimeoutError)
        return read(status, body), status not in NOT_YET


MAY_MINT = "the deployer needs roles/iam.serviceAccountOpenIdTokenCreator, see docs/permissions.md"


def read(status: int, body: bytes) -> Verdict:
    """Return the verdict in an answer. What isn't one is an ERROR that says what came instead."""
    if status in (401, 403):
        return Verdict(
            "ERROR", f"not asked: the connector's front door answered {status}; see `callers` in docs/permissions.md"
        )
    try:
        answer = json.loads(body)
        state, latency = answer["state"], answer.get("latencyMillis")
    except (ValueError, KeyError, TypeError, AttributeError):
        return Verdict("ERROR", f"the connector answered {status} without a state; look at its logs")
    if state not in STATES:
        return Verdict("ERROR", f"the connector answered the unknown state {str(state)[:40]!r}")
    return Verdict(state, str(answer.get("description") or ""), latency if isinstance(latency, int) else None)


def post(url: str, token: str) -> tuple[int, bytes]:
    """POST without a body. An HTTP error is an answer; OSError means that there was none."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, data=b"{}", headers=headers, method="POST")  # noqa: S310 - an address of ours
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


async def mint(account: str, audience: str) -> str:
    """Return an identity token for the account, made by the provider with the deployer's own credentials."""
    wanted = {"targetAudience": audience, "targetServiceAccount": account, "includeEmail": True}
    made = await pulumi.runtime.invoke_async("gcp:serviceaccount/getAccountIdToken:getAccountIdToken", wanted)
    return str(made["idToken"])


def verify(
    url: pulumi.Output[str],
    account: pulumi.Output[str],
    *,
    after: pulumi.Output[object],
    check: Check,
    require_active: bool,
    name: str,
) -> pulumi.Output[dict[str, object]]:
    """Return the verdict on a connection once `after` is known. With `require_active`, anything but ACTIVE fails the
    update."""

    async def run(known: list[object]) -> dict[str, object]:
        if pulumi.runtime.is_dry_run():
            return IN_PREVIEW.output()
        verdict = await check.run(str(known[0]), str(known[1]))
        if require_active and verdict.state != "ACTIVE":
            _fail(name, verdict)
        return verdict.output()

    return pulumi.Output.all(url, account, after).apply(run)


def not_deployed(
    secrets: list[str], *, after: pulumi.Output[object], require_active: bool, name: str
) -> pulumi.Output[dict[str, object]]:
    """Return the verdict on a connection whose connector waits for the values of secrets, once `after` is known."""
    text = f"not deployed: no value for {', '.join(secrets)}; add it as missingSecrets says, then `pulumi up`"
    verdict = Verdict("AUTH_ERROR", text)

    def describe(_: object) -> dict[str, object]:
        if require_active and not pulumi.runtime.is_dry_run():
            _fail(name, verdict)
        return verdict.output()

    return after.apply(describe)


def _fail(name: str, verdict: Verdict) -> NoReturn:
    raise pulumi.RunError(f"connection {name} is {verdict.state}: {verdict.description} (requireActive is set)")


def _reason(error: BaseException) -> str:
    """Return what went wrong, on one line and without the layers that handed it on."""
    text = " ".join(str(error).split()) or type(error).__name__
    return re.sub(r"invo\w+ (of )?gcp:\S+?( failed| returned an error)?: |1 error occurred: |\* ", "", text)[:300]
