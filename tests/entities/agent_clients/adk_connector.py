"""Google's agent kit at the connector: `adk_connector.py HOST SERVICE_ACCOUNT_FILE ARGUMENTS`, run by its own Python.

Writes the tools' declarations as a line of JSON; then each line read, `[tool, arguments]`, is answered by a line.
"""

import asyncio
import json
import sys
from importlib.metadata import version
from pathlib import Path

from google.adk.tools.application_integration_tool.application_integration_toolset import ApplicationIntegrationToolset
from google.adk.tools.application_integration_tool.clients import connections_client, integration_client


async def main(host: str, service_account: str, arguments: str) -> None:
    for module in (connections_client, integration_client):
        for name in [each for each in vars(module) if each.endswith("ENDPOINT_TEMPLATE")]:
            setattr(module, name, host)
    toolset = ApplicationIntegrationToolset(
        service_account_json=Path(service_account).read_text(),
        allow_private_network_access=True,
        **json.loads(arguments),
    )
    tools = {tool.name: tool for tool in await toolset.get_tools()}
    declared = {name: tool._get_declaration().model_dump(mode="json") for name, tool in tools.items()}
    print(json.dumps({"version": f"google-adk {version('google-adk')}", "tools": declared}), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        name, given = json.loads(line)
        print(json.dumps(await tools[name].run_async(args=given, tool_context=None)), flush=True)


asyncio.run(main(*sys.argv[1:]))
