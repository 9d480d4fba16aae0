"""An OpenAI-compatible server on loopback, in a separate process, that sends scripted answers at full speed.

The model's name chooses the answer: ``markdown-2000``, ``code-32000``. ``paced-600`` is sent at the speed of a real
model. ``GET /sent`` returns what was sent last.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self

from benchmarks.answers import tokens

PACE_SECONDS = 0.005
"""The time between two tokens of a paced answer."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    sent: ClassVar[dict[str, Any]] = {}

    def do_GET(self) -> None:
        self._reply(json.dumps(Handler.sent).encode())

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        shape, _, count = request["model"].partition("-")
        pause = PACE_SECONDS if shape == "paced" else 0.0
        answer = tokens("markdown" if pause else shape, int(count))
        head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": request["model"]}

        def chunk(delta: dict[str, str] | None, finish: str | None = None, **more: Any) -> bytes:
            choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
            line = f"data: {json.dumps({**head, 'choices': choices, **more})}\n\n".encode()
            return b"%x\r\n%s\r\n" % (len(line), line)

        usage = {"prompt_tokens": 20, "completion_tokens": len(answer), "total_tokens": 20 + len(answer)}
        lines = [chunk({"content": token}) for token in answer]
        last = [chunk({}, "stop"), chunk(None, usage=usage), b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"]
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(chunk({"role": "assistant", "content": ""}))
        Handler.sent = {"at": time.time(), "text": "".join(answer)}
        for line in lines:
            self.wfile.write(line)
            if pause:
                time.sleep(pause)
        self.wfile.write(b"".join(last))

    def _reply(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Server:
    """The server's process, with its base URL as `url`. It ends with the context."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "benchmarks.server"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._port = int(self._process.stdout.readline())
        self.url = f"http://127.0.0.1:{self._port}/v1"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()

    def sent(self) -> dict[str, Any]:
        """Return the last answer as ``text``, and as ``at`` when its first token was sent (seconds since the epoch)."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{self._port}/sent", timeout=10) as reply:
            return json.load(reply)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)  # `Server` waits for this line
    server.serve_forever()
