"""A chat server on loopback for many requests at a time, in a thread: each request is answered by a function.

`python -m tests.chat_server SECONDS` runs one that answers each request after that time. It prints its port first, and
when its input ends, when each request came and was answered.
"""

import asyncio
import inspect
import json
import math
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

MODEL = "some-model"


@dataclass
class Reply:
    """What a server replies: an answer, or the body of an error; after `seconds`."""

    text: str = "It is fine."
    status: int = 200
    seconds: float = 0.0
    headers: dict = field(default_factory=dict)
    tokens: tuple = (7, 3)

    def content(self):
        if self.status != 200:
            return json.dumps({"error": {"message": self.text, "type": "error", "code": None}}).encode()
        message = {"role": "assistant", "content": self.text}
        sent, received = self.tokens
        usage = {"prompt_tokens": sent, "completion_tokens": received, "total_tokens": sent + received}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        body = {"id": "1", "object": "chat.completion", "created": 1, "model": MODEL, "choices": choices}
        return json.dumps(body | {"usage": usage}).encode()

    def whole(self):
        content = self.content()
        names = {"content-type": "application/json", "content-length": str(len(content)), **self.headers}
        head = f"HTTP/1.1 {self.status} X\r\n" + "".join(f"{name}: {value}\r\n" for name, value in names.items())
        return head.encode() + b"\r\n" + content


def prompt_of(body):
    return body["messages"][-1]["content"]


class ChatServer:
    """A server that runs while its context lasts.

    Args:
        answer: Takes the body of a request, and returns a `Reply`, or None to close the connection. May be async.

    Attributes:
        requests: The bodies of the requests.
        spans: For each request, when it came and when it was answered.
        headers: The headers of the last request.
        begun: When each request came, by `time.monotonic`.
        prompts: How often each prompt came.
        open: How many requests are open.
        most: How many were open at the same time, at most.
    """

    def __init__(self, answer=lambda _: Reply()):
        self.answer = answer
        self.requests, self.begun, self.headers = [], [], {}
        self.prompts = Counter()
        self.open = self.most = 0
        self.spans = []
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1000, limit=2**24)
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self):
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                self.headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
                body = json.loads(await reader.readexactly(int(self.headers["content-length"])))
                reply = await self._reply(body)
                if reply is None:
                    return
                writer.write(reply.whole())
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _reply(self, body):
        self.requests.append(body)
        self.begun.append(time.monotonic())
        self.spans.append(span := [self.begun[-1], math.inf])
        self.prompts[str(prompt_of(body))] += 1
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            reply = self.answer(body)
            if inspect.isawaitable(reply):
                reply = await reply
            if reply is not None and reply.seconds:
                await asyncio.sleep(reply.seconds)
            return reply
        finally:
            self.open -= 1
            span[1] = time.monotonic()


def main(seconds):
    reply = Reply(seconds=seconds)
    with ChatServer(lambda _: reply) as server:
        print(server.port, flush=True)
        sys.stdin.read()
        print(json.dumps(server.spans), flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]))
