#!/usr/bin/env bash
# pydantic-ai-slim 2.68.0 with openai 3.57.0: a server that tells its usage so far with each chunk is billed many times.
#
# Surprising: OpenAI tells the usage once, at the end of a stream. vLLM and others can tell it with each chunk, as the sum so
# far, so that a stream which is cut off has one. For such a server, the usage of an answer of three chunks to 100 tokens
# is 300 tokens in and 1 + 2 + 3 out: the sums are added. So the cost and the limits of a run grow with the square of its
# length. A good guess is that the latest usage replaces the one before. The setting `openai_continuous_usage_stats`,
# which asks a server for such chunks, makes it so; who gets them unasked has to know.
#
# Source: the docstring of `openai_continuous_usage_stats`; behaviour seen with a server of one answer.
# What follows here: models/compatible reads every stream of a compatible server with that setting.
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
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for number, word in enumerate(("One", " two", " three"), 1):
            choice = {"index": 0, "delta": {"content": word}, "finish_reason": "stop" if number == 3 else None}
            chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
            chunk["usage"] = {"prompt_tokens": 100, "completion_tokens": number, "total_tokens": 100 + number}
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_):
        pass


async def usage(**settings):
    async with Agent(model).run_stream_events("Count", model_settings=settings) as events:
        async for _ in events:
            pass
        return events.new_messages()[-1].usage


server = HTTPServer(("127.0.0.1", 0), Server)
Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}"
model = OpenAIChatModel("m", provider=OpenAIProvider(base_url=address, api_key="none"))
unasked = asyncio.run(usage())
asked = asyncio.run(usage(openai_continuous_usage_stats=True))
print(f"told: 100 in, 3 out. Counted: {unasked.input_tokens} in, {unasked.output_tokens} out")
print(f"with openai_continuous_usage_stats: {asked.input_tokens} in, {asked.output_tokens} out")
counted = [(used.input_tokens, used.output_tokens) for used in (unasked, asked)]
sys.exit(0 if counted == [(300, 6), (100, 3)] else 1)
PYTHON
NO_PROXY=127.0.0.1 "$folder/venv/bin/python" "$folder/seen.py"
