#!/usr/bin/env bash
# openai 3.57.0: `chat.completions.stream` makes `addadd` of a tool's name that a server sends with each chunk.
#
# Surprising: the helper joins all texts of the deltas but `index` and `type`, as OpenAI sends the others once. A server
# that speaks the same protocol may send the role, or a call's id and name, with each chunk, and each chunk is valid by
# the SDK's types. Then the final completion has the role `assistantassistant` and the id `call_1call_1`, and calls a
# tool `addadd`, without an error; that is what goes into the next request. `create(stream=True)` yields the chunks as
# they came. A good guess is that content and arguments, which come in pieces, are joined, and that the rest is
# replaced.
#
# Source: accumulate_delta in openai/lib/streaming/_deltas.py; behaviour seen with a server that repeats itself.
# What follows here: models/call_deltas puts calls together itself, and takes a repeated name for the same call.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet openai==3.57.0
cat >"$folder/seen.py" <<'PYTHON'
import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import openai


def named(arguments):
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "add", "arguments": arguments}}
    return {"role": "assistant", "tool_calls": [call]}


ONCE = [named('{"a": '), {"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]}, {}]
REPEATED = [named('{"a": '), named("1}"), {}]


class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for delta in ONCE if asked["messages"][0]["content"] == "once" else REPEATED:
            choice = {"index": 0, "delta": delta, "finish_reason": None if delta else "tool_calls"}
            chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Server)
Thread(target=server.serve_forever, daemon=True).start()
client = openai.OpenAI(api_key="none", base_url=f"http://127.0.0.1:{server.server_port}")
seen = {}
for way in ("once", "repeated"):
    with client.chat.completions.stream(model="m", messages=[{"role": "user", "content": way}]) as stream:
        message = stream.get_final_completion().choices[0].message
    [made] = message.tool_calls
    seen[way] = (message.role, made.id, made.function.name, made.function.arguments)
    print(f"{way + ':':9}", *seen[way])
once = ("assistant", "call_1", "add", '{"a": 1}')
repeated = ("assistantassistant", "call_1call_1", "addadd", '{"a": 1}')
sys.exit(0 if list(seen.values()) == [once, repeated] else 1)
PYTHON
NO_PROXY=127.0.0.1 "$folder/venv/bin/python" "$folder/seen.py"
