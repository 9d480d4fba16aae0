#!/usr/bin/env bash
# pydantic-ai-slim 2.68.0: whether `<think>` begins reasoning depends on how the server has cut the answer into chunks.
#
# Surprising: in a stream, a tag counts only if a chunk is exactly the tag. The same answer is reasoning and text when
# `<think>` comes alone, and one text with tags when a word or a newline comes with it, as from a server that joins
# tokens. On the other hand, a chunk that is the tag counts in the middle of an answer that only speaks of it: all that
# follows is taken for reasoning, and no answer is left. Without streaming, the same text is split wherever the tags are.
# A good guess is that the tags at the beginning of an answer are found, however it is cut.
#
# Source: behaviour seen with a scripted server of OpenAI's protocol, whose models have these tags by default.
# What follows here: models/answer_text finds the tags at the beginning of an answer, however it is cut.
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

CASES = {
    ("<think>", "Why?", "</think>", "Because."): ["thinking", "text"],
    ("<think>Why?", "</think>Because."): ["text"],
    ("<think>\n", "Why?", "\n</think>\n", "Because."): ["text"],
    ("Qwen writes ", "<think>", " before it answers."): ["text", "thinking"],
}


class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for text in (*json.loads(asked["messages"][0]["content"]), None):
            choice = {"index": 0, "delta": {"content": text or ""}, "finish_reason": None if text else "stop"}
            chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_):
        pass


async def kinds(chunks):
    async with Agent(model).run_stream_events(json.dumps(chunks)) as events:
        async for _ in events:
            pass
        return [part.part_kind for part in events.new_messages()[-1].parts]


server = HTTPServer(("127.0.0.1", 0), Server)
Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}"
model = OpenAIChatModel("m", provider=OpenAIProvider(base_url=address, api_key="none"))
seen = {chunks: asyncio.run(kinds(chunks)) for chunks in CASES}
for chunks, parts in seen.items():
    print(f"{' | '.join(chunks)!r:58} -> {parts}")
sys.exit(0 if seen == CASES else 1)
PYTHON
NO_PROXY=127.0.0.1 "$folder/venv/bin/python" "$folder/seen.py"
