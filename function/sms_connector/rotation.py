"""Rotate credentials that the provider lets us make, without an operator and without a failed send.

A rotation goes through the stages that the provider's package states (`provider.CredentialRotation`). Where it stands
is a document in the ledger, so that one that dies is carried on by the next notice or request. No value of a secret is
in it, digests only.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sms_connector.errors import UnsupportedOperation
from sms_connector.ports import Clock, Ledger, SecretVersions, Write, secret_digest
from sms_connector.ports.ledger_access import document_data, read_document
from sms_connector.provider import CredentialRotation, Provider, RotatedSecrets, RotationStage
from sms_connector.sending.idempotency import IdempotencyKeys
from sms_connector.store.node_lease import NodeLease

COLLECTION = "state"
LOOK_AGAIN_SECONDS = 5.0


class RotationTiming(msgspec.Struct, frozen=True):
    """Seconds. `spread`: after it a node that holds no lease has read a new version too (`SecretSource` keeps a value
    for 30). `overlap`: how long the old credential stays good for what is under way."""

    spread: float = 60.0
    overlap: float = 3600.0


class RotationState(msgspec.Struct, rename="camel"):
    """Where a rotation stands. `acted`: the stage's act is done, at `since`; what is left of it is to wait. `notice_at`
    is the time of the notice that began it: that notice may be delivered again."""

    id: str
    stage: int
    acted: bool
    since: float
    before: dict[str, str]
    notice_at: float = 0.0
    done: bool = False


class RotationProgress(msgspec.Struct, frozen=True):
    """How far it is: `stage` is the one under way, the last one when `done`; `retry_after` (seconds) is when to go on,
    and `stages` are all."""

    secrets: Sequence[str]
    stages: Sequence[str]
    stage: str
    done: bool
    retry_after: float = 0.0


class Rotator(msgspec.Struct, frozen=True):
    """Rotates the credentials of one connection."""

    provider: Provider
    versions: SecretVersions
    ledger: Ledger
    lease: NodeLease
    keys: IdempotencyKeys
    clock: Clock
    timing: RotationTiming = RotationTiming()

    def plan(self, secret: str) -> RotationProgress:
        """Return where the rotation of this secret stands, and change nothing."""
        rotation = self._find(secret)
        state = self._read(rotation)
        return _progress(rotation, state if state and not state.done else self._begin(rotation, secret))

    def rotate(self, secret: str, *, notice_at: float | None = None) -> RotationProgress:
        """Go on until it is done or has to wait. Raises UnsupportedOperation (with the steps for an operator) for a
        secret that only the provider's console can change, KeyInProgress while another call is at work."""
        rotation = self._find(secret)
        with self.keys.alone(f"rotation of {rotation.secrets[0]}"):
            state = self._read(rotation)
            if state is None or state.done:
                if state is not None and notice_at is not None and notice_at <= state.notice_at:
                    return _progress(rotation, state)  # the notice of the rotation that is done, delivered again
                state = self._begin(rotation, secret, notice_at)
                self._save(state)
            try:
                return self._go_on(rotation, state)
            except UnsupportedOperation as error:
                if state.stage == 0:  # nothing is changed: the next notice begins from what an operator leaves
                    self.ledger.commit([Write(COLLECTION, state.id, None)])
                raise self._by_hand(secret) from error

    def _go_on(self, rotation: CredentialRotation, state: RotationState) -> RotationProgress:
        secrets = RotatedSecrets(self.versions, state.before)
        while not state.done:
            stage = rotation.stages[state.stage]
            if not state.acted:
                stage.act(secrets)
                state.acted, state.since = True, self.clock.time()
                self._save(state)
            left = self._seconds_left(stage, state)
            if left > 0:
                return _progress(rotation, state, left)
            state.done = state.stage + 1 == len(rotation.stages)
            state.stage, state.acted = state.stage + (not state.done), state.done
            self._save(state)
        return _progress(rotation, state)

    def _seconds_left(self, stage: RotationStage, state: RotationState) -> float:
        waited = self.clock.time() - state.since
        if stage.spreads:
            digests = {name: secret_digest(name, self.versions.read(name)) for name in stage.spreads}
            if waited < self.timing.spread:
                return self.timing.spread - waited
            if self.lease.nodes_without(digests):
                return LOOK_AGAIN_SECONDS
        return max(0.0, self.timing.overlap - waited) if stage.overlaps else 0.0

    def _find(self, secret: str) -> CredentialRotation:
        for rotation in self.provider.rotations():
            if secret in rotation.secrets:
                return rotation
        raise self._by_hand(secret)

    def _by_hand(self, secret: str) -> UnsupportedOperation:
        """Return the error that says the steps of an operator."""
        (make, end), previous = self.provider.steps_by_hand, f"{secret}-previous"
        verifies = f" (as {previous} it still verifies callbacks)" if previous in self.provider.secret_names else ""
        return UnsupportedOperation(
            f"{self.provider.name} lets nobody make a new {secret} but by its console: {make}, keep the old one good"
            f" meanwhile{verifies}, add the new one as a version of the secret, wait a minute, test with POST"
            f" /v1/connection:test, then {end} and disable its version"
        )

    def _begin(self, rotation: CredentialRotation, secret: str, notice_at: float | None = None) -> RotationState:
        if not rotation.is_allowed(self.versions):
            raise self._by_hand(secret)
        before = {name: secret_digest(name, self.versions.read(name)) for name in rotation.secrets}
        at = self.clock.time()
        return RotationState(_document_id(rotation), 0, False, at, before, at if notice_at is None else notice_at)

    def _read(self, rotation: CredentialRotation) -> RotationState | None:
        [found] = self.ledger.get(COLLECTION, [_document_id(rotation)])
        return None if found is None else read_document(found, RotationState)

    def _save(self, state: RotationState) -> None:
        self.ledger.commit([Write(COLLECTION, state.id, document_data(state))])


def _document_id(rotation: CredentialRotation) -> str:
    return f"rotation:{rotation.secrets[0]}"


def _progress(rotation: CredentialRotation, state: RotationState, retry_after: float = 0.0) -> RotationProgress:
    stages = [stage.name for stage in rotation.stages]
    return RotationProgress(rotation.secrets, stages, stages[state.stage], state.done, retry_after)


def secret_of_notice(secret_id: str, connection: str) -> str | None:
    """Return which of the connection's secrets a notice is about (its attribute `secretId`)."""
    name = secret_id.rpartition("/")[2]
    prefix = f"{connection}-"
    return name.removeprefix(prefix) if name.startswith(prefix) else None
