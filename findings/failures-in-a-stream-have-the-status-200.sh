#!/usr/bin/env bash
# anthropic 2.14.0 and openai 3.57.0: the error of an overloaded server is another one in a stream, with the status 200.
#
# Surprising: a server that is overloaded may say so after the headers of a stream have gone out. Anthropic's SDK then
# raises a bare `APIStatusError` whose `status_code` is 200, and not the `OverloadedError` that the same body has with
# the status 529; OpenAI's raises a bare `APIError`, which has no status at all. Neither makes the request again, even
# if nothing was said yet, which `max_retries` promises for 529. So retries, alarms and fallbacks that go by class or by
# status miss what they are for, as streams are where such errors come. A good guess is the same class. `error.type`
# (Anthropic) and `error.body` (OpenAI) have what the server said.
#
# Source: anthropics/anthropic-sdk-python, issue 1918; behaviour seen with a server that is overloaded.
# What follows here: turns/fallback goes by pydantic-ai's errors, which look into the body.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet anthropic==2.14.0 openai==3.57.0
cat >"$folder/seen.py" <<'PYTHON'
import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import anthropic
import openai

asked = []


class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        streams = json.loads(self.rfile.read(int(self.headers["content-length"]))).get("stream", False)
        asked.append(streams)
        if self.path.endswith("/messages"):
            status, error = 529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
        else:
            status, error = 503, {"error": {"type": "server_error", "code": "overloaded", "message": "Overloaded"}}
        body = json.dumps(error)
        body = f"event: error\ndata: {body}\n\n".encode() if streams else body.encode()
        self.send_response(200 if streams else status)
        self.send_header("content-type", "text/event-stream" if streams else "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Server)
Thread(target=server.serve_forever, daemon=True).start()
options = {"api_key": "none", "base_url": f"http://127.0.0.1:{server.server_port}", "max_retries": 1}
HELLO = [{"role": "user", "content": "Hello"}]


def ask_anthropic(stream):
    return anthropic.Anthropic(**options).messages.create(model="m", max_tokens=9, messages=HELLO, stream=stream)


def ask_openai(stream):
    return openai.OpenAI(**options).chat.completions.create(model="m", messages=HELLO, stream=stream)


seen = []
for ask in (ask_anthropic, ask_openai):
    for stream in (False, True):
        asked.clear()
        try:
            list(ask(stream))
        except (anthropic.APIError, openai.APIError) as error:
            seen.append((type(error).__name__, getattr(error, "status_code", None), len(asked)))
            print(f"{ask.__name__}, {'in a stream' if stream else 'at once'}: {type(error).__name__},", end=" ")
            print(f"status {seen[-1][1]}, requests {len(asked)}; it says {error.type or error.body}")
of_anthropic = [("OverloadedError", 529, 2), ("APIStatusError", 200, 1)]
of_openai = [("InternalServerError", 503, 2), ("APIError", None, 1)]
sys.exit(0 if seen == of_anthropic + of_openai else 1)
PYTHON
NO_PROXY=127.0.0.1 "$folder/venv/bin/python" "$folder/seen.py"
