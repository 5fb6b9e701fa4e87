"""How the public reaches `webhook`: the platform's check of callers is switched off for that one service, or `allUsers`
is granted.

Organisations that restrict sharing refuse the grant and allow the switch. A function has no such property, only the Run
service behind it (and `build_config` of a Run service builds nothing:
github.com/hashicorp/terraform-provider-google/issues/22263), so every update looks at the switch and sets it where it
differs. That also heals it after a deployment that put it back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pulumi

import google_api

Call = Callable[..., tuple[int, Any]]  # as `google_api.call`
Token = Callable[[], Awaitable[str]]
UNKNOWN = "a preview changes nothing; known after the update"
PATIENCE_SECONDS, PAUSE_SECONDS = 60.0, 2.0


@dataclass(frozen=True, slots=True)
class Switch:
    """Sets `invokerIamDisabled` of a Run service. `token` makes an access token, `call` asks Google
    (`google_api.call`)."""

    token: Token
    call: Call
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def settle(self, service: str, *, disabled: bool) -> str:
        """Set the switch of a service, given by its full name. Return what is wrong afterwards, "" where nothing is."""
        try:
            token = await self.token()
            held = await self._held(service, token)
            if held is not disabled:
                await self._ask("PATCH", f"{service}?updateMask=invokerIamDisabled", token, disabled)
                held = await self._until(service, token, disabled)
        except Exception as failure:  # noqa: BLE001 - the engine hands over every failure of a provider's function as this
            return " ".join(str(failure).split())[:300]
        return "" if held is disabled else "the platform did not take the change"

    async def _until(self, service: str, token: str, wanted: bool) -> bool:
        for _ in range(int(PATIENCE_SECONDS / PAUSE_SECONDS)):
            if await self._held(service, token) is wanted:
                return wanted
            await self.sleep(PAUSE_SECONDS)
        return not wanted

    async def _held(self, service: str, token: str) -> bool:
        answer = await self._ask("GET", service, token)
        return bool(answer.get("invokerIamDisabled"))

    async def _ask(self, method: str, path: str, token: str, disabled: bool | None = None) -> Any:
        body = None if disabled is None else {"invokerIamDisabled": disabled}
        status, answer = await asyncio.to_thread(self.call, "cloudRunV2", method, path, token=token, body=body)
        if status >= 400:
            raise RuntimeError(f"{status}: {google_api.message(answer)}")
        return answer


async def access_token() -> str:
    """Return the token that the provider plugin itself acts with. It is used in this run only and goes into no
    output."""
    return str((await pulumi.runtime.invoke_async(google_api.CLIENT_CONFIG, {}))["accessToken"])


def verify(service: pulumi.Output[str], *, mode: str, switch: Switch, require: bool, name: str) -> pulumi.Output[str]:
    """Return who reaches the webhook, in words, once its service is known. With `require`, a failure fails the
    update."""

    async def run(known: str) -> str:
        if pulumi.runtime.is_dry_run():
            return UNKNOWN
        problem = await switch.settle(known, disabled=mode == "check-disabled")
        if problem and require:
            raise pulumi.RunError(f"connection {name}: the webhook is not public: {problem} (requireActive is set)")
        return f"not as configured: {problem}; {FIX}" if problem else MODES[mode]

    return service.apply(run)


MODES = {
    "check-disabled": "public: the platform checks no caller",
    "grant": "public: allUsers may call it",
    "none": "not public: statuses are polled, and inbound messages do not arrive",
}
FIX = "see `webhook.public` in docs/permissions.md"
