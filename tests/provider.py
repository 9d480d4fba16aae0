"""A scripted OpenAI-compatible server on loopback.

A script is a function that answers through the request's handler. Each request takes the next script; the last
script answers all further requests.
"""

import json
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODEL = "some-model"


class ScriptedProvider:
    """A server that runs while its context lasts.

    Args:
        scripts: Answer the requests.
        lists: Answers GET, with which a client asks for the list of the models.

    Attributes:
        url: The base URL.
        requests: The bodies of the requests.
        keys: The API key of each request.
        asked: The authorization of each GET.
        arrived: Set when a request arrives.
        closing: Set when the context ends.
    """

    def __init__(self, *scripts, lists=None):
        self.lists = lists
        self.scripts = list(scripts)
        self.requests = []
        self.keys = []
        self.asked = []
        self.arrived = threading.Event()
        self.closing = threading.Event()
        self._next = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def receive(self, handler):
        body = handler.rfile.read(int(handler.headers["content-length"]))
        with self._next:
            handler.body = json.loads(body)
            self.requests.append(handler.body)
            self.keys.append(handler.headers.get("authorization", "").removeprefix("Bearer "))
            script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        self.arrived.set()
        script(handler)


def _handler(provider):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        closing = provider.closing

        def do_POST(self):
            self.close_connection = True
            with suppress(ConnectionError):
                provider.receive(self)

        def do_GET(self):
            self.close_connection = True
            provider.asked.append(self.headers.get("authorization", ""))
            with suppress(ConnectionError):
                provider.lists(self)

        def log_message(self, *args):
            pass

        def begin(self, status=200, kind="text/event-stream", **headers):
            self.send_response(status)
            self.send_header("content-type", kind)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)

        def stream(self):
            self.begin(transfer_encoding="chunked", connection="close")
            self.end_headers()

        def send(self, text):
            content = text if isinstance(text, bytes) else text.encode()
            self.wfile.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")
            self.wfile.flush()

        def send_chunk(self, delta, finish=None, **more):
            self.send(f"data: {json.dumps(chunk(delta, finish, **more))}\n\n")

        def reply(self, status, body, kind="application/json", **headers):
            content = body.encode()
            self.begin(status, kind, content_length=str(len(content)), connection="close", **headers)
            self.end_headers()
            self.wfile.write(content)

    return Handler


def chunk(delta=None, finish=None, **more):
    """Return the body of one chunk; `more` are its other fields, which may replace `choices`."""
    choices = [{"index": 0, "delta": delta or {}, "finish_reason": finish}]
    body = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": MODEL, "choices": choices}
    return body | more


def usage(sent, received):
    """Return usage as a server reports it."""
    return {"prompt_tokens": sent, "completion_tokens": received, "total_tokens": sent + received}


def call_delta(index=None, call_id=None, name=None, arguments=None, **more):
    """Return the delta of one tool call; a field that is None is left out."""
    function = {"name": name, "arguments": arguments}
    delta = {
        "index": index,
        "id": call_id,
        "function": {key: value for key, value in function.items() if value is not None},
    }
    return {key: value for key, value in delta.items() if value is not None} | {"type": "function"} | more


def streams(*items, finish="stop", end="\n", done=True, kind="text/event-stream", **headers):
    """Return a script that streams these items.

    Args:
        items: A dict is a chunk or a delta, a string is a piece of the answer, and bytes are sent as they are.
        finish: The finish reason of a last chunk with usage; None for no such chunk.
        end: The end of a line.
        done: Whether to send ``[DONE]``.
        kind: The content type.
        headers: Other headers.
    """

    def body_of(item):
        if isinstance(item, str):
            return chunk({"role": "assistant", "content": item})
        return item if {"choices", "error", "object"} & set(item) else chunk(item)

    def script(handler):
        handler.begin(kind=kind, transfer_encoding="chunked", connection="close", **headers)
        handler.end_headers()
        last = [] if finish is None else [chunk({}, finish, usage=usage(7, 3))]
        for item in [*items, *last]:
            handler.send(item if isinstance(item, bytes) else f"data: {json.dumps(body_of(item))}{end}{end}")
        if done:
            handler.send(f"data: [DONE]{end}{end}")
        handler.send("")

    return script


def calls(*deltas, **options):
    """Return a script that streams tool calls: a delta, or a list of deltas, for each chunk."""
    lists = [delta if isinstance(delta, list) else [delta] for delta in deltas]
    chunks = [{"role": "assistant", "content": None, "tool_calls": each} for each in lists]
    return streams(*chunks, **({"finish": "tool_calls"} | options))


def answers(*chunks, tokens=(7, 3), finish="stop"):
    """Return a script that answers with these chunks.

    Args:
        chunks: The pieces of the answer's text.
        tokens: The reported input and output tokens; None if the provider reports none.
        finish: The reported finish reason.
    """

    def script(handler):
        handler.stream()
        for chunk in chunks:
            handler.send_chunk({"role": "assistant", "content": chunk})
        handler.send_chunk({}, finish, usage=usage(*tokens) if tokens is not None else None)
        handler.send("data: [DONE]\n\n")
        handler.send("")

    return script


def refuses(status, message, code=None):
    """Return a script that refuses with an HTTP status and allows an immediate retry."""

    def script(handler):
        body = json.dumps({"error": {"message": message, "type": "error", "code": code}})
        handler.reply(status, body, retry_after_ms="1")

    return script


def echoes_the_key(status=401):
    """Return a script that refuses with a message that repeats the key."""

    def script(handler):
        key = handler.headers["authorization"].removeprefix("Bearer ")
        refuses(status, f"Incorrect API key provided: {key}.")(handler)

    return script


def replies(body, kind="application/json", status=200, **headers):
    """Return a script that replies with this status, body and headers."""
    return lambda handler: handler.reply(status, body, kind, **headers)


def talks_nonsense(*chunks):
    """Return a script that streams these chunks and then sends a line that is not valid JSON."""

    def script(handler):
        handler.stream()
        for chunk in chunks:
            handler.send_chunk({"role": "assistant", "content": chunk})
        handler.send('data: {"choices": [{"delta":\n\n')
        handler.send("")

    return script


def is_cut_off(*chunks):
    """Return a script that streams these chunks and closes the connection before the stream ends."""

    def script(handler):
        handler.stream()
        for chunk in chunks:
            handler.send_chunk({"role": "assistant", "content": chunk})

    return script


def never_answers(*chunks):
    """Return a script that streams these chunks and then waits until the server closes."""

    def script(handler):
        if chunks:
            handler.stream()
        for chunk in chunks:
            handler.send_chunk({"role": "assistant", "content": chunk})
        handler.closing.wait()

    return script
