"""The client of the Model Context Protocol, version 2: `mcp_2.py URL MODE`, run by its own Python.

Writes the server's tools as a line of JSON; then each line read, `[tool, arguments]`, is answered by a line.
"""

import asyncio
import json
import sys
from importlib.metadata import version

from mcp import Client


async def main(url: str, mode: str) -> None:
    async with Client(url, mode=mode) as client:
        listed = await client.list_tools()
        tools = {tool.name: tool.model_dump(mode="json", by_alias=True) for tool in listed.tools}
        spoken = {"version": f"mcp {version('mcp')}", "protocol": client.protocol_version, "tools": tools}
        print(json.dumps(spoken), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            name, given = json.loads(line)
            answer = await client.call_tool(name, given)
            print(answer.model_dump_json(by_alias=True), flush=True)


asyncio.run(main(*sys.argv[1:]))
