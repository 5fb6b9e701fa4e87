"""How the public reaches the webhook, and what is said where it does not."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.infra import harness
from tests.infra.harness import PROJECT, REGION
from webhook_access import Switch

SERVICE = f"projects/{PROJECT}/locations/{REGION}/services/sms-webhook"


@dataclass
class Run:
    """Cloud Run's API with one service. `after` readings show a change, `refusal` answers a change."""

    disabled: bool = False
    after: int = 1
    refusal: tuple[int, Any] | None = None
    calls: list[tuple[str, str, object]] = field(default_factory=list)

    def call(self, service: str, method: str, path: str, *, token: str, body: object = None) -> tuple[int, Any]:
        assert (service, token) == ("cloudRunV2", "a-token")
        self.calls.append((method, path, body))
        if method == "PATCH":
            assert isinstance(body, dict)
            if self.refusal:
                return self.refusal
            self._next = (len(self.calls) + self.after, body["invokerIamDisabled"])
            return 200, {"done": False}
        at, wanted = getattr(self, "_next", (0, self.disabled))
        self.disabled = wanted if len(self.calls) >= at else self.disabled
        return 200, {"name": SERVICE, **({"invokerIamDisabled": True} if self.disabled else {})}


def settle(run: Run, *, disabled: bool) -> str:
    async def token() -> str:
        return "a-token"

    async def sleep(_seconds: float) -> None:
        pass

    return asyncio.run(Switch(token, run.call, sleep).settle(SERVICE, disabled=disabled))


def test_the_check_is_switched_off_once() -> None:
    run = Run()
    assert settle(run, disabled=True) == ""
    assert ("PATCH", f"{SERVICE}?updateMask=invokerIamDisabled", {"invokerIamDisabled": True}) in run.calls
    run.calls.clear()
    assert settle(run, disabled=True) == ""
    assert [method for method, _, _ in run.calls] == ["GET"], "nothing is changed that is as wanted"


def test_a_deployment_that_put_it_back_is_healed() -> None:
    run = Run()
    settle(run, disabled=True)
    run.disabled, run._next = False, (0, False)
    assert settle(run, disabled=True) == ""
    assert run.disabled


def test_another_way_puts_the_check_back() -> None:
    run = Run(disabled=True)
    assert settle(run, disabled=False) == ""
    assert not run.disabled


def test_a_change_is_waited_for() -> None:
    assert settle(Run(after=10), disabled=True) == ""
    assert settle(Run(after=1000), disabled=True) == "the platform did not take the change"


def test_a_refusal_is_told_with_its_reason() -> None:
    refusal = (400, {"error": {"message": "constraints/run.managed.requireInvokerIam is enforced"}})
    assert settle(Run(refusal=refusal), disabled=True) == "400: constraints/run.managed.requireInvokerIam is enforced"


# --- in the program ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "public_grants", "unchecked", "address"),
    [("check-disabled", 0, True, True), ("grant", 1, False, True), ("none", 0, False, False)],
)
def test_each_way(mode: str, public_grants: int, unchecked: bool, address: bool) -> None:
    stack = harness.run({"webhook": f'{{"public": "{mode}"}}'})
    grants = [r.inputs for r in stack.resources if r.inputs.get("member") == "allUsers"]
    assert [grant["name"] for grant in grants] == ["sms-webhook"] * public_grants
    assert dict(stack.switched).get(SERVICE, False) is unchecked
    webhook = stack.named("gcp:cloudfunctionsv2/function:Function", "sms-webhook")
    assert ("SMS_WEBHOOK_URL" in webhook.inputs["serviceConfig"]["environmentVariables"]) is address
    assert ("not public" in stack.outputs["connections"]["sms"]["webhookAccess"]) is not address
    silent = [r for r in stack.of("gcp:monitoring/alertPolicy:AlertPolicy") if r.name == "sms-no-callbacks"]
    assert bool(silent) is address, "without callbacks their absence is no alarm"


def test_a_preview_changes_nothing() -> None:
    assert harness.run(preview=True).switched == []
