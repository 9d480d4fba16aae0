#!/usr/bin/env bash
# google-genai 2.34.0: the usage of `generate_content` with a Python function as a tool is that of its last request.
#
# Surprising: a function in `tools` is called by the SDK itself, which sends its result in a further request, and so on.
# One `generate_content` can so be ten requests. `usage_metadata` of what it returns has the tokens of the last one
# only, and looks like any other; five requests of 100 tokens are 100 tokens, so that a bill is five times what was
# counted. Nothing else in the response has the rest, which `automatic_function_calling_history` lists as messages
# without tokens. `generate_content_stream` yields the usage of each request, so that its chunks add up. A good guess is
# the sum.
#
# Source: googleapis/python-genai, issue 2838; behaviour seen with a server that counts.
# What follows here: no SDK calls functions; turns/model_requests has the usage of each request.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet google-genai==2.34.0
cat >"$folder/seen.py" <<'PYTHON'
import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

from google import genai

asked = []


class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        call = {"functionCall": {"name": "price", "args": {"name": f"tea {len(asked)}"}}}
        content = {"role": "model", "parts": [{"text": "Fine."} if len(asked) == 5 else call]}
        usage = {"promptTokenCount": 90, "candidatesTokenCount": 10, "totalTokenCount": 100}
        body = json.dumps({"candidates": [{"content": content, "finishReason": "STOP"}], "usageMetadata": usage})
        streams = "stream" in self.path
        body = f"data: {body}\r\n\r\n".encode() if streams else body.encode()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream" if streams else "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def price(name: str) -> float:
    """Return the price of a thing."""
    return 1.5


server = HTTPServer(("127.0.0.1", 0), Server)
Thread(target=server.serve_forever, daemon=True).start()
options = {"base_url": f"http://127.0.0.1:{server.server_port}"}
client = genai.Client(api_key="none", http_options=options)
question = {"model": "gemini-2.5-flash", "contents": "How much is tea?", "config": {"tools": [price]}}
response = client.models.generate_content(**question)
seen = (len(asked), response.text, response.usage_metadata.total_token_count)
print("requests, answer and tokens counted:           ", *seen)
asked.clear()
chunks = list(client.models.generate_content_stream(**question))
streamed = (len(asked), chunks[-1].text, sum(chunk.usage_metadata.total_token_count for chunk in chunks))
print("requests, answer and sum of tokens in a stream:", *streamed)
sys.exit(0 if (seen, streamed) == ((5, "Fine.", 100), (5, "Fine.", 500)) else 1)
PYTHON
NO_PROXY=127.0.0.1 "$folder/venv/bin/python" "$folder/seen.py" 2>"$folder/log" || { tail -3 "$folder/log"; exit 1; }
