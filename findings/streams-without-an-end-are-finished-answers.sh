#!/usr/bin/env bash
# pydantic-ai-slim 2.68.0 with openai 3.57.0: half an answer, whose stream just ends, has the finish reason `stop`.
#
# Surprising: when a server or a proxy in between gives up, and closes the stream in an orderly way, neither library misses
# the last chunk nor `[DONE]`. The response is `complete`, and its finish reason is `stop`, which no server has sent, so
# nothing in it tells half an answer from a whole one but `provider_details`. An answer that the server itself ends with
# the reason `error` is complete, too, and has no finish reason. A good guess is an error, or at least no reason.
#
# Source: behaviour seen with a server of half an answer.
# What follows here: turns/messages says that the answer may be incomplete if the provider has given no reason.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pydantic-ai-slim[openai]==2.68.0" openai==3.57.0
cat >"$folder/seen.py" <<'PYTHON'
import asyncio
import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider


class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        reasons = {"closed": [None], "error": [None, "error"], "stop": [None, "stop"]}
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for reason in reasons[asked["messages"][0]["content"]]:
            choice = {"index": 0, "delta": {"content": "" if reason else "The first is"}, "finish_reason": reason}
            chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())

    def log_message(self, *_):
        pass


async def response(end):
    async with Agent(model).run_stream_events(end) as events:
        async for _ in events:
            pass
        return events.new_messages()[-1]


server = HTTPServer(("127.0.0.1", 0), Server)
Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}"
model = OpenAIChatModel("m", provider=OpenAIProvider(base_url=address, api_key="none"))
seen = {}
for end in ("stop", "closed", "error"):
    said = asyncio.run(response(end))
    told = (said.provider_details or {}).get("finish_reason")
    seen[end] = (said.state, said.finish_reason)
    print(f"stream ends with {end}: {said.state}, finish reason {said.finish_reason}, told {told}")
complete = {"stop": ("complete", "stop"), "closed": ("complete", "stop"), "error": ("complete", None)}
sys.exit(0 if seen == complete else 1)
PYTHON
NO_PROXY=127.0.0.1 "$folder/venv/bin/python" "$folder/seen.py"
