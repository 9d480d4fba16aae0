#!/usr/bin/env bash
# mcp 2.3.0 and fastmcp 4.2.3: a text that is JSON is no text for a tool whose argument is `str | None`.
#
# Surprising: with mcp, an argument that is annotated `str` takes each text as it is. With `str | None`, the same text
# is first read as JSON: `null` arrives as None, and the call is refused for `{"a": 1}`, as a dict is no text, though
# the model has sent one as the schema says. With `str | list[str]`, the text `["a"]` arrives as a list. So a tool that
# writes a file, or a note, works until the text happens to be JSON. An argument that is misspelt is left out without a
# word, so that the tool runs with its default. fastmcp, to which a server is moved by changing an import, does none of
# this, and refuses what it does not know. A good guess is that a string that fits the schema arrives as it was sent.
#
# Source: modelcontextprotocol/python-sdk, issue 3055; behaviour seen with the clients of both libraries, in memory.
# What follows here: nothing, as it is in the servers of others; the model reads what a server says of a refused call.
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


def required(text: str) -> str:
    return repr(text)


def optional(text: str | None = None) -> str:
    return repr(text)


def several(text: str | list[str]) -> str:
    return repr(text)


CALLS = [
    ("required", {"text": "null"}),
    ("optional", {"text": "null"}),
    ("required", {"text": '{"a": 1}'}),
    ("optional", {"text": '{"a": 1}'}),
    ("several", {"text": '["a"]'}),
    ("optional", {"txet": "misspelt"}),
]


async def arrived(server, client_of):
    for function in (required, optional, several):
        server.tool()(function)
    seen = []
    async with client_of(server) as client:
        for name, arguments in CALLS:
            try:
                result = await client.call_tool(name, arguments)
            except Exception:
                seen.append("refused")
            else:
                seen.append("refused" if result.is_error else result.content[0].text)
    return seen


of_mcp = asyncio.run(arrived(MCPServer("notes"), mcp.Client))
of_fastmcp = asyncio.run(arrived(fastmcp.FastMCP("notes"), fastmcp.Client))
for (name, arguments), by_mcp, by_fastmcp in zip(CALLS, of_mcp, of_fastmcp, strict=True):
    print(f"{name:8} {arguments!s:22} mcp: {by_mcp:12} fastmcp: {by_fastmcp}")
assert of_fastmcp == ["'null'", "'null'", "'{\"a\": 1}'", "'{\"a\": 1}'", "'[\"a\"]'", "refused"]
sys.exit(0 if of_mcp == ["'null'", "None", "'{\"a\": 1}'", "refused", "['a']", "None"] else 1)
PYTHON
"$folder/venv/bin/python" "$folder/seen.py" 2>"$folder/log" || { tail -3 "$folder/log"; exit 1; }
