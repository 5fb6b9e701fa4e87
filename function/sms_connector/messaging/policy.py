"""The engine's own numbers in one place, so that a test or a soak can shorten them together."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """Seconds and counts.

    lease_seconds       how long a node's word holds that it is alive; what it was calling is unknown after that
    clock_skew          how far two nodes' clocks may be apart
    call_seconds        the longest one provider call may take, waiting for its turn excluded
    unknown_window      how long an unknown outcome is looked into (sending.md section 3)
    expire_after        a message without news for so long is expired (sending.md section 4)
    block_size          how many intents are written ahead of their calls: about one second's worth
    flush_after         how long an outcome may wait for others to be written with
    max_parallel_calls  threads a request may use while the provider answers slowly
    resends             how often `onUnknown: resend` repeats
    key_seconds         how long an idempotency key is kept
    """

    lease_seconds: float = 30.0
    clock_skew: float = 2.0
    call_seconds: float = 21.0
    unknown_window: float = 900.0
    expire_after: float = 72 * 3600.0
    block_size: int = 25
    flush_after: float = 0.05
    max_parallel_calls: int = 100
    resends: int = 2
    key_seconds: float = 24 * 3600.0
