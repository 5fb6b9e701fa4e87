"""A credential is rotated while nodes use it, and the rotator may die at any step: at no moment does a send or a callback fail."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from sandbox.credentials import basic_header
from sandbox.infobip import account as infobip
from sandbox.twilio import accounts
from sandbox.twilio.signature import sign
from sms_connector.errors import KeyInProgress, UnsupportedOperation
from sms_connector.local.secrets import FileSecrets, FolderVersions
from sms_connector.model.connection_status import ConnectionState
from sms_connector.model.policy import Policy
from sms_connector.ports import Secret, secret_digest
from sms_connector.provider import Provider, RawCallback
from sms_connector.rotation import RotationProgress, Rotator
from sms_connector.sending.idempotency import IdempotencyKeys
from sms_connector.store.node_lease import NodeLease
from sms_connector.transport.http import HttpRequest, HttpResponse, NoTransport, Transport
from tests.contract.providers.doubles import CannedSecrets
from tests.fixtures.fake_clock import ThreadedClock
from tests.fixtures.memory_ledger import Fate, FatedLedger, Killed, MemoryLedger
from tests.fixtures.providers import make_provider
from tests.fixtures.simulated import SimulatedTransport, make_service

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")

URL = "https://hooks.example.com/webhooks/provider/status/token"
BASE = "https://api.sandbox.example"
PUBLIC = ("account-sid", "api-key-sid", "webhook-username")
TWILIO = {"account-sid": accounts.ACCOUNT_SID, "auth-token": accounts.AUTH_TOKEN}


class SteppedVersions(FolderVersions):
    """Tells of each change, before and after."""

    def __init__(self, folder: Path, step: Callable[[str], None]) -> None:
        super().__init__(folder)
        self._step = step

    def add(self, name: str, value: Secret) -> None:
        self._step(f"add {name} before")
        super().add(name, value)
        self._step(f"add {name} after")

    def disable(self, name: str, number: int) -> None:
        self._step(f"disable {name} before")
        super().disable(name, number)
        self._step(f"disable {name} after")


@dataclasses.dataclass(frozen=True)
class Case:
    """`makes`: the stage that makes the new credential, whose spreading is waited for."""

    provider: str
    secrets: Mapping[str, str]
    makes: str
    account: Mapping[str, object] = dataclasses.field(default_factory=dict)


CASES = {
    "auth-token": Case("twilio", TWILIO, "make a secondary token"),
    "api-key-secret": Case(
        "twilio",
        {**TWILIO, "api-key-sid": accounts.KEY_SID, "api-key-secret": accounts.KEY_SECRET},
        "make a key",
    ),
    "api-key": Case(
        "infobip",
        {"api-key": infobip.API_KEY, "webhook-username": "user", "webhook-password": "password"},
        "make a key",
        {"keys_manage_keys": True},
    ),
}


def replace_case(name: str, **changes: Any) -> Case:
    return dataclasses.replace(CASES[name], **changes)


class Scene:
    """One account at the simulated provider, a folder of secrets, and nodes that read it."""

    def __init__(self, folder: Path, case: Case) -> None:
        self.folder, self.clock, self.case = folder, ThreadedClock(), case
        self.ledger = MemoryLedger(self.clock)
        self.service: Any = make_service(case.provider)
        for name, value in case.account.items():
            setattr(self.service._account, name, value)
        for name, value in case.secrets.items():
            (folder / name).write_text(value)
        # One reads at each use, one holds what it has read for thirty seconds.
        self.nodes = [self.node(max_age) for max_age in (0.0, 30.0)]

    @property
    def account(self) -> accounts.Account:
        account: accounts.Account = self.service._accounts.accounts[accounts.ACCOUNT_SID]
        return account

    def good_keys(self) -> set[str]:
        """The API keys that the provider accepts."""
        if self.case.provider == "twilio":
            return set(self.account.keys)
        return {key.secret for key in self.service._account.keys.values() if key.enabled}

    def node(self, max_age: float) -> Provider:
        secrets = FileSecrets(self.folder, clock=self.clock, max_age=max_age)
        return make_provider(self.case.provider, secrets, SimulatedTransport(self.service), BASE)

    def lease(self, secrets: FileSecrets) -> NodeLease:
        """A node's lease, which says what it uses."""
        return NodeLease(
            self.ledger,
            clock=self.clock,
            policy=Policy(),
            secrets_in_use=lambda: {n: secret_digest(n, secrets.get(n)) for n in self.nodes[0].secret_names},
        )

    def rotator(self, fate: Fate | None = None) -> Rotator:
        fate = fate or Fate()

        def step(name: str) -> None:
            self.check(name)
            fate.step(name)

        ledger = FatedLedger(self.ledger, fate, clock=self.clock)
        secrets = FileSecrets(self.folder, clock=self.clock)
        lease = NodeLease(ledger, clock=self.clock, policy=Policy())
        return Rotator(
            make_provider(self.case.provider, secrets, self.transport(step), BASE),
            SteppedVersions(self.folder, step),
            ledger,
            lease,
            IdempotencyKeys(ledger, lease, clock=self.clock, policy=Policy()),
            self.clock,
        )

    def transport(self, step: Callable[[str], None]) -> Transport:
        return SimulatedTransport(self.service, step)

    def callback(self) -> RawCallback:
        """A callback as the provider makes it now."""
        if self.case.provider == "infobip":
            headers = {"authorization": basic_header("user", "password")}
            return RawCallback("POST", URL, headers, b'{"results": []}', datetime.now(UTC))
        signed = sign(self.account.token, URL, form=[("MessageSid", "SM1")])
        headers = {"x-twilio-signature": signed, "content-type": "application/x-www-form-urlencoded"}
        return RawCallback("POST", URL, headers, b"MessageSid=SM1", datetime.now(UTC))

    def check(self, moment: str = "") -> None:
        """Every node can send, and takes the callbacks that the provider makes now."""
        callback = self.callback()
        for place, node in enumerate(self.nodes):
            status = node.check_connection()
            assert status.state is ConnectionState.ACTIVE, f"{moment}: node {place}: {status.description}"
            assert node.verify_callback(callback), f"{moment}: node {place} rejects a callback"

    def run(self, rotator: Rotator, secret: str) -> RotationProgress:
        """Ask again whenever it says so, until it is done."""
        for _ in range(30):
            progress = self.once(rotator, secret)
            if progress.done:
                return progress
            self.clock.now += progress.retry_after
            self.check("after a wait")
        raise AssertionError(f"it does not end: {progress}")

    def once(self, rotator: Rotator, secret: str, notice_at: float | None = None) -> RotationProgress:
        return self.clock.run(partial(rotator.rotate, secret, notice_at=notice_at))[0]


@pytest.fixture(params=CASES)
def secret(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def scene(tmp_path: Path, secret: str) -> Scene:
    return Scene(tmp_path, CASES[secret])


def test_the_old_credential_is_dead_in_the_end_and_the_new_one_works(scene: Scene, secret: str) -> None:
    old = scene.folder.joinpath(secret).read_text()
    begun = scene.clock.now
    scene.run(scene.rotator(), secret)
    scene.check("in the end")
    assert scene.folder.joinpath(secret).read_text() != old
    assert 3600 < scene.clock.now - begun < 4000
    if secret == "auth-token":
        assert scene.account.token == scene.folder.joinpath("auth-token").read_text()
        assert scene.folder.joinpath("auth-token-previous").read_text() == old
    elif secret == "api-key-secret":
        assert accounts.KEY_SID not in scene.good_keys()
        assert ":" not in scene.folder.joinpath("api-key-secret").read_text()
    else:
        assert old not in scene.good_keys()
        assert scene.folder.joinpath(secret).read_text() in scene.good_keys()
    assert len(FolderVersions(scene.folder).numbers(secret)) == 1


def test_the_rotator_may_die_at_any_step(tmp_path: Path, secret: str) -> None:
    def world(step: int) -> Scene:
        folder = tmp_path / str(step)
        folder.mkdir()
        return Scene(folder, CASES[secret])

    whole = Fate()
    whole_scene = world(0)
    whole_scene.run(whole_scene.rotator(whole), secret)
    keys = len(whole_scene.good_keys())
    for step in range(1, whole.steps + 1):
        scene = world(step)
        try:
            scene.run(scene.rotator(Fate(die_at=step)), secret)
        except Killed:
            scene.check(f"died at {step}")
            scene.clock.now += 60.0  # its lease ends
        scene.run(scene.rotator(), secret)
        scene.check(f"carried on after {step}, {whole.names[step - 1]}")
        assert len(scene.good_keys()) == keys, "a key that nobody uses was left"
        assert len(FolderVersions(scene.folder).numbers(secret)) == 1


def test_keys_of_others_are_left_alone(tmp_path: Path) -> None:
    """Of another connection on the same account, in the middle of a rotation of its own."""
    scene = Scene(tmp_path, CASES["api-key-secret"])
    other = accounts.Key("SK" + "7" * 32, "secret", accounts.Rights.STANDARD, "sms-connector 0123456789abcdef", 0.0)
    scene.account.keys[other.sid] = other
    scene.run(scene.rotator(), "api-key-secret")
    assert other.sid in scene.account.keys


def test_it_waits_for_a_node_that_still_uses_the_old_one(scene: Scene, secret: str) -> None:
    slow = FileSecrets(scene.folder, clock=scene.clock, max_age=1e9)
    for name in scene.nodes[0].secret_names:
        slow.get(name)
    lease, rotator = scene.lease(slow), scene.rotator()
    for _ in range(20):
        lease.name()
        progress = scene.once(rotator, secret)
        scene.clock.now += min(progress.retry_after, 20.0)
    assert progress.stage == scene.case.makes
    slow.refresh()
    for name in scene.nodes[0].secret_names:
        slow.get(name)
    scene.clock.now += 5.0
    lease.name()
    assert scene.once(rotator, secret).stage != progress.stage


def test_two_at_once_are_one(scene: Scene, secret: str) -> None:
    rotator, other = scene.rotator(), scene.rotator()
    seen: list[Exception] = []

    def meanwhile(name: str) -> None:
        if not seen:
            with pytest.raises(KeyInProgress) as refused:
                other.rotate(secret)
            seen.append(refused.value)

    rotator.versions._step = meanwhile  # type: ignore[attr-defined]
    scene.once(rotator, secret)
    assert seen


def test_a_notice_that_comes_again_starts_no_other_rotation(scene: Scene, secret: str) -> None:
    rotator, at = scene.rotator(), scene.clock.now
    while not (progress := scene.once(rotator, secret, notice_at=at)).done:
        scene.clock.now += progress.retry_after
    value = scene.folder.joinpath(secret).read_text()
    assert scene.once(rotator, secret, notice_at=at).done
    assert scene.folder.joinpath(secret).read_text() == value
    assert not scene.once(rotator, secret, notice_at=scene.clock.now).done


def test_a_plan_changes_nothing(scene: Scene, secret: str) -> None:
    files = {path: path.read_bytes() for path in scene.folder.rglob("*") if path.is_file()}
    progress = scene.rotator().plan(secret)
    assert (progress.stage, progress.done) == (progress.stages[0], False)
    assert {path: path.read_bytes() for path in scene.folder.rglob("*") if path.is_file()} == files


def test_no_secret_is_in_the_ledger(scene: Scene, secret: str) -> None:
    scene.run(scene.rotator(), secret)
    stored = repr(scene.ledger._documents)
    for path in scene.folder.rglob("*"):
        if path.is_file() and path.name in scene.nodes[0].secret_names and path.name not in PUBLIC:
            assert path.read_text() not in stored


# --- Infobip's keys ---------------------------------------------------------------------------------------------------


class NoNewKeys(SimulatedTransport):
    """Infobip, where the key may list keys and make none."""

    def send(self, request: HttpRequest) -> HttpResponse:
        if request.method == "POST" and request.url.endswith("/settings/2/api-keys"):
            return HttpResponse(403, {}, json.dumps({"errorCode": "E403", "description": "No."}).encode())
        return super().send(request)


class RefusedScene(Scene):
    def transport(self, step: Callable[[str], None]) -> Transport:
        return NoNewKeys(self.service, step)


SMS_KEY = infobip.Key("SMS", infobip.API_KEY, "sms alone", ("sms:manage",), 0.0, 1e12)
REFUSALS: dict[str, tuple[type[Scene], Case]] = {
    "401": (Scene, replace_case("api-key", account={})),
    "403": (Scene, replace_case("api-key", account={"keys_manage_keys": True, "keys": {"SMS": SMS_KEY}})),
    "403 to a new one": (RefusedScene, CASES["api-key"]),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_where_the_key_may_not_manage_keys_the_steps_are_told_and_nothing_is_changed(
    tmp_path: Path, refusal: str
) -> None:
    kind, case = REFUSALS[refusal]
    scene = kind(tmp_path, case)
    keys, secrets = scene.good_keys(), [path.name for path in tmp_path.rglob("*")]
    for _ in range(2):
        with pytest.raises(
            UnsupportedOperation, match="make a second API key with the same scopes in Infobip's portal"
        ):
            scene.once(scene.rotator(), "api-key")
    assert (scene.good_keys(), [path.name for path in tmp_path.rglob("*")]) == (keys, secrets)
    assert "rotation:" not in repr(scene.ledger._documents)


def test_the_new_key_has_the_scopes_of_the_old_one(tmp_path: Path) -> None:
    scene = Scene(tmp_path, CASES["api-key"])
    account = scene.service._account
    (old,) = (key for key in account.keys.values() if key.secret == infobip.API_KEY)
    old.scopes = ("sms:manage", "account-management:manage")
    scene.run(scene.rotator(), "api-key")
    (new,) = (key for key in account.keys.values() if key.secret == (tmp_path / "api-key").read_text())
    assert new.scopes == old.scopes


def test_what_only_an_operator_can_rotate_says_how(scene: Scene) -> None:
    with pytest.raises(UnsupportedOperation, match="add the new one as a version"):
        scene.rotator().rotate("signing-key")


@pytest.mark.parametrize(
    ("provider", "name", "told"),
    [
        ("azure", "access-key", "Settings, Keys"),
        ("azure", "access-key", "regenerate the other key and disable its version"),
        ("telesign", "api-key", "as api-key-previous it still verifies callbacks"),
    ],
)
def test_the_steps_are_the_providers_own(scene: Scene, provider: str, name: str, told: str) -> None:
    other = make_provider(provider, CannedSecrets({}), NoTransport(), "https://acme.example")
    with pytest.raises(UnsupportedOperation) as refused:
        replace(scene.rotator(), provider=other).rotate(name)
    assert told in str(refused.value)
