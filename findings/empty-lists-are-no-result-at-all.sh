#!/usr/bin/env bash
# mcp 2.3.0 and fastmcp 4.2.3: a tool that finds nothing has no result at all, and one that finds two has one or two.
#
# Surprising: the two libraries have one decorator, and one was once a part of the other, so that a server is moved by
# changing an import. With both, a search that returns an empty list has a result without content, in which a model reads
# nothing, not even `[]`. Two hits are one JSON text with fastmcp, and two texts with mcp, one for each hit. A `-> dict` has
# structured content with fastmcp, and none with mcp, where a `-> dict[str, int]` has it. A good guess is that a list is a
# JSON text, whatever its length, and that the same function gives the same result on both.
#
# Source: behaviour seen with the clients of both libraries, in memory.
# What follows here: tools/mcp/content reads what a result has, and says so where it has nothing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mcp==2.3.0 fastmcp==4.2.3
cat >"$folder/seen.py" <<'PYTHON'
import asyncio
import sys

import fastmcp
import mcp
from mcp.server import MCPServer


def search(word: str) -> list:
    return [name for name in ("red ant", "red bee", "blue bee") if word in name]


def counts() -> dict:
    return {"ant": 1}


def typed_counts() -> dict[str, int]:
    return {"ant": 1}


async def results(server, client_of):
    for function in (search, counts, typed_counts):
        server.tool()(function)
    async with client_of(server) as client:
        found = [await client.call_tool("search", {"word": word}) for word in ("red", "green")]
        structured = [await client.call_tool(name, {}) for name in ("counts", "typed_counts")]
    texts = [[block.text for block in result.content] for result in found]
    return texts, [result.structured_content for result in structured]


seen = {
    "mcp": asyncio.run(results(MCPServer("animals"), mcp.Client)),
    "fastmcp": asyncio.run(results(fastmcp.FastMCP("animals"), fastmcp.Client)),
}
for name, (texts, structured) in seen.items():
    print(f"{name + ':':8} two hits {texts[0]}, no hit {texts[1]}, structured {structured}")
of_mcp = ([["red ant", "red bee"], []], [None, {"ant": 1}])
of_fastmcp = ([['["red ant","red bee"]'], []], [{"ant": 1}, {"ant": 1}])
sys.exit(0 if list(seen.values()) == [of_mcp, of_fastmcp] else 1)
PYTHON
"$folder/venv/bin/python" "$folder/seen.py"
