"""The stack: one platform, a connection for each one configured, and outputs that say whether each really works."""

from __future__ import annotations

from pathlib import Path

import pulumi

import archive
import connection_check
import google_api
import outputs
import stack_config
import webhook_access
from components.connection import Connection
from components.platform import Platform
from lookups import FROM_CLOUD
from pulumi_values import all_values

HERE = Path(__file__).parent.absolute()

try:
    config = stack_config.load(*all_values())
    source = archive.build(HERE.parent / "function")
except (stack_config.ConfigError, archive.ArchiveError) as problem:
    raise pulumi.RunError(str(problem)) from None

platform = Platform("platform", config, stack=pulumi.get_stack(), archive=source, folder=HERE / ".build")
connections = [Connection(wanted, platform, lookups=FROM_CLOUD) for wanted in config.connections]

check = connection_check.Check(connection_check.mint, connection_check.post)
switch = webhook_access.Switch(webhook_access.access_token, google_api.call)
results = {c.config.name: outputs.of_connection(c, platform, check, switch) for c in connections}

pulumi.export("connections", results)
pulumi.export("archive", source.digest)
