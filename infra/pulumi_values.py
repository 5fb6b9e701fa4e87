"""All configuration values of the stack. The SDK reads keys one by one; to refuse unknown ones we need them all."""

from __future__ import annotations

from pulumi.runtime import config


def all_values() -> tuple[dict[str, str], frozenset[str]]:
    """(values by full key, the keys that are secret)."""
    values = {**config.get_config_env(), **config.CONFIG.get()}
    sealed = frozenset({*config.get_config_secret_keys_env(), *(key for key in values if config.is_config_secret(key))})
    return {key: str(value) for key, value in values.items()}, sealed
