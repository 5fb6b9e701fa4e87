"""The engine's own numbers in one module, so that a test or a soak can shorten them together."""

from __future__ import annotations

import msgspec


class Policy(msgspec.Struct, frozen=True):
    """Seconds and counts.

    lease_seconds       how long a node's lease lasts; its calls without an outcome are unknown after that
    clock_skew          how far two nodes' clocks may be apart
    call_seconds        the longest one attempt of a provider call may take, waiting for its turn excluded
    unknown_window      how long an unknown outcome is looked up (sending.md section 3)
    expire_after        a message without an update for so long expires (sending.md section 4)
    ahead_seconds       how long before their calls intents are written; longer where the ledger is slow
    block_size          how many calls' intents and outcomes share a write at most
    flush_after         how long an outcome may wait for others to be written with, where the rate is lifted
    max_parallel_calls  threads a node may use while the provider answers slowly: four seconds' worth of calls
    unpaced_calls       threads a request uses where the rate is lifted
    resends             how often `onUnknown: resend` repeats
    resend_after        how long the provider's list may take to show a message before it is sent again
    key_seconds         how long an idempotency key is kept
    list_examines       how many messages one page of a list examines: some 80 blocks of campaigns, or as many documents
    """

    lease_seconds: float = 30.0
    clock_skew: float = 2.0
    call_seconds: float = 21.0
    unknown_window: float = 900.0
    expire_after: float = 72 * 3600.0
    ahead_seconds: float = 0.2
    block_size: int = 25
    flush_after: float = 0.05
    max_parallel_calls: int = 128
    unpaced_calls: int = 4
    resends: int = 2
    resend_after: float = 5.0
    key_seconds: float = 24 * 3600.0
    list_examines: int = 2000
