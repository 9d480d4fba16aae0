#!/usr/bin/env bash
# anthropic 2.14.0 and openai 3.57.0: a `timeout` of one second lets a call take as long as `Retry-After` says.
#
# Surprising: `timeout` limits each attempt, and not the call. Between two attempts, both SDKs sleep without a word for the
# time that a server asks for, which is here five times the timeout. And the two, which look like one, part when it is
# long: OpenAI's gives up at once above two minutes, and Anthropic's has no limit, so that an answer "come back in an
# hour" is waited for in `create`. A good guess is that the timeout is that of the call, or that both have the same limit.
#
# Source: `_calculate_retry_timeout` in both _base_client.py; behaviour seen with a server that is busy at first.
# What follows here: models/clients tells of each wait, and keeps both SDKs from waiting longer than two minutes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet anthropic==2.14.0 openai==3.57.0
cat >"$folder/seen.py" <<'PYTHON'
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import anthropic
import openai

asked = []


class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        asked.append(time.monotonic())
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(429)
        self.send_header("retry-after", self.path.split("/")[1])
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def ask_openai(address):
    client = openai.OpenAI(api_key="none", base_url=address, timeout=1, max_retries=1)
    client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hello"}])


def ask_anthropic(address):
    client = anthropic.Anthropic(api_key="none", base_url=address, timeout=1, max_retries=1)
    client.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "Hello"}])


def attempts(ask, seconds, patience):
    """Return how many requests have come, and whether the call still waits."""
    asked.clear()

    def call():
        try:
            ask(f"http://127.0.0.1:{server.server_port}/{seconds}")
        except (openai.RateLimitError, anthropic.RateLimitError):
            pass

    thread = Thread(target=call, daemon=True)
    thread.start()
    thread.join(patience)
    print(f"{ask.__name__}, Retry-After {seconds}: requests after", *(f"{at - asked[0]:.1f} s" for at in asked), end="")
    print(", waits" if thread.is_alive() else ", has ended")
    return len(asked), thread.is_alive()


server = HTTPServer(("127.0.0.1", 0), Server)
Thread(target=server.serve_forever, daemon=True).start()
seen = [attempts(ask, 5, 15) for ask in (ask_openai, ask_anthropic)]
seen += [attempts(ask, 3600, 6) for ask in (ask_openai, ask_anthropic)]
sys.exit(0 if seen == [(2, False), (2, False), (1, False), (1, True)] else 1)
PYTHON
NO_PROXY=127.0.0.1 "$folder/venv/bin/python" "$folder/seen.py"
