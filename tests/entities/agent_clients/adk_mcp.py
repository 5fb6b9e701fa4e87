"""The MCP toolset of Google's agent kit: `adk_mcp.py URL`, run by its own Python.

Writes the tools' declarations as a line of JSON; then each line read, `[tool, arguments]`, is answered by a line.
"""

import asyncio
import json
import sys
from importlib.metadata import version
from types import SimpleNamespace

from google.adk.tools.mcp_tool import McpToolset, StreamableHTTPConnectionParams


async def main(url: str) -> None:
    toolset = McpToolset(connection_params=StreamableHTTPConnectionParams(url=url))
    tools = {tool.name: tool for tool in await toolset.get_tools()}
    declared = {name: tool._get_declaration().model_dump(mode="json") for name, tool in tools.items()}
    print(json.dumps({"version": f"google-adk {version('google-adk')}", "tools": declared}), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        name, given = json.loads(line)
        context = SimpleNamespace(invocation_id="1", function_call_id="1", state={})
        print(json.dumps(await tools[name].run_async(args=given, tool_context=context)), flush=True)
    await toolset.close()


asyncio.run(main(*sys.argv[1:]))
