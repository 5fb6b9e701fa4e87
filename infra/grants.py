"""Grants act late, and whatever is made with them before is refused."""

from __future__ import annotations

import asyncio

import pulumi

from connection_config import ConnectionConfig


def wait_for_grants(config: ConnectionConfig, what: str) -> pulumi.ResourceHookBinding:
    """Hooks of a resource that takes grants of the same update: it is made `grants.seconds` later. What exists is not
    waited for.

    Google's own examples wait as long before a function is made (`time_sleep` in the provider's page of
    `cloudfunctions2_function`).
    """

    async def wait(_: pulumi.ResourceHookArgs) -> None:
        await asyncio.sleep(config.grants_seconds)

    return pulumi.ResourceHookBinding(
        before_create=[pulumi.ResourceHook(f"{config.name}-{what}-wait-for-grants", wait)]
    )
