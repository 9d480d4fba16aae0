#!/usr/bin/env bash
# openai 3.57.0 with respx 0.23.1 and pytest-httpx 0.36.2: requests of the SDK that are mocked go out to the network.
#
# Surprising: the two mocks made for httpx, which tests of programs with the SDK use, see nothing of its requests, as
# the SDK has moved to httpx2, a package of its own. While httpx is installed, as a mock needs it, nothing fails at
# once: the route is never called, the request is sent with whatever key there is, and the answer of the real server
# comes. A test that this answer fits passes, and pays. A client `http_client=httpx.Client()` is still taken, and is
# mocked. A good guess is that the requests are mocked as before, or that something fails.
#
# Source: Arize-ai/openinference, pull request 3574; behaviour seen with a server that counts.
# What follows here: tests ask a server of their own (tests/provider.py), and mock no transport.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet openai==3.57.0 httpx==0.28.1 respx==0.23.1 pytest==9.2.0 pytest-httpx==0.36.2
cat >"$folder/test_mocked.py" <<'PYTHON'
import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import httpx
import openai
import pytest
import respx


class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps(completion("by the network")).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def completion(text):
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}


server = HTTPServer(("127.0.0.1", 0), Server)
Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}"
MOCKED = completion("by the mock")


def answer(**client):
    made = openai.OpenAI(api_key="none", base_url=address, **client)
    answered = made.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hello"}])
    return answered.choices[0].message.content


def test_respx():
    with respx.mock(assert_all_called=False) as router:
        router.post(f"{address}/chat/completions").mock(return_value=httpx.Response(200, json=MOCKED))
        seen = [answer(), answer(http_client=httpx.Client())]
    print("respx:", ", ".join(seen))
    assert seen == ["by the network", "by the mock"]


@pytest.mark.httpx_mock(assert_all_responses_were_requested=False)
def test_pytest_httpx(httpx_mock):
    httpx_mock.add_response(json=MOCKED)
    seen = [answer(), answer(http_client=httpx.Client())]
    print("pytest-httpx:", ", ".join(seen))
    assert seen == ["by the network", "by the mock"]
PYTHON
cd "$folder"
NO_PROXY=127.0.0.1 venv/bin/python -m pytest -q -s -p no:cacheprovider test_mocked.py
