"""The client of the Model Context Protocol, version 1: `mcp_1.py URL`, run by its own Python.

Writes the server's tools as a line of JSON; then each line read, `[tool, arguments]`, is answered by a line.
"""

import asyncio
import json
import sys
from importlib.metadata import version

from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client


async def main(url: str) -> None:
    async with streamablehttp_client(url) as (read, write, _), ClientSession(read, write) as session:
        greeted = await session.initialize()
        listed = await session.list_tools()
        tools = {tool.name: tool.model_dump(mode="json", by_alias=True) for tool in listed.tools}
        spoken = {"version": f"mcp {version('mcp')}", "protocol": greeted.protocolVersion, "tools": tools}
        print(json.dumps(spoken), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            name, given = json.loads(line)
            answer = await session.call_tool(name, given)
            print(answer.model_dump_json(by_alias=True), flush=True)


asyncio.run(main(*sys.argv[1:]))
