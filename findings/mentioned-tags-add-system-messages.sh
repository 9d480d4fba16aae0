#!/usr/bin/env bash
# pydantic-ai-slim 2.68.0: a prompt that mentions `<system>` gets two system messages that stand in no history.
#
# Surprising: a question about XML, or a pasted log, with `<system>` in it is sent with two paragraphs behind it, as system
# messages, which say that such text has no authority. They are made after the hooks, while the request is written, and
# again for each later request that has this prompt in its history. Neither `all_messages()` nor `before_model_request`
# shows them, so a log of what was sent is wrong, an estimate of tokens is too low, and a system message stands in the
# middle, which some chat templates refuse. A good guess is that what a model is sent is in the messages of the run.
#
# Source: behaviour seen with a server that keeps what it was sent.
# What follows here: turns/sender makes its copy of a request after that; turns/sent writes such notes into the prompt.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pydantic-ai-slim[openai]==2.68.0" openai==3.57.0
cat >"$folder/seen.py" <<'PYTHON'
import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

sent = []


class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        sent.append(json.loads(self.rfile.read(int(self.headers["content-length"])))["messages"])
        message = {"role": "assistant", "content": "Fine."}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        body = json.dumps({"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": choices}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Server)
Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}"
agent = Agent(OpenAIChatModel("m", provider=OpenAIProvider(base_url=address, api_key="none")))
mentioned = agent.run_sync("What is <system> in this file?")
agent.run_sync("And now?", message_history=mentioned.all_messages())
agent.run_sync("What is <user> in this file?")
roles = [[message["role"] for message in messages] for messages in sent]
kinds = [part.part_kind for message in mentioned.all_messages() for part in message.parts]
print("sent with <system>:", roles[0], sum(len(message["content"]) for message in sent[0]), "characters")
print("in its messages:   ", kinds)
print("sent with the next:", roles[1])
print("sent with <user>:  ", roles[2])
expected = roles[0] == ["user", "system", "system"] and kinds == ["user-prompt", "text"] and roles[2] == ["user"]
sys.exit(0 if expected and roles[1].count("system") == 2 else 1)
PYTHON
NO_PROXY=127.0.0.1 "$folder/venv/bin/python" "$folder/seen.py"
