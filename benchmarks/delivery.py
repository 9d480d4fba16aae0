"""How much of an answer arrives at a page, through a real jupyter_server with its default rate limits."""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

from benchmarks.answers import FIRST_WORD
from benchmarks.figures import Figure, Sample, not_measured, sample
from benchmarks.kernel import environment
from benchmarks.server import Server
from benchmarks.subjects import CHATLAS, OURS, PRINT, Subject


def measure(runs: int) -> list[Figure]:
    missing = "" if find_spec("jupyter_server") else "jupyter_server is not installed"
    figures = []
    with Server() as server:
        for tokens in (2_000, 32_000):
            samples = {
                subject: not_measured(missing or subject.missing)
                if missing or subject.missing
                else _arrival(server, subject, tokens, runs if tokens == 2_000 else 2)
                for subject in (OURS, CHATLAS, PRINT)
            }
            what = f"arrived through jupyter_server, {tokens:,} tokens"
            figures.append(Figure(what, samples[OURS], at_least=100, chatlas=samples[CHATLAS], print=samples[PRINT]))
    return figures


def _arrival(server: Server, subject: Subject, tokens: int, runs: int) -> Sample:
    if subject is CHATLAS and tokens == 32_000:
        return Sample(note="not run: about 3 GB")
    with tempfile.TemporaryDirectory(prefix="benchmark-", ignore_cleanup_errors=True) as home:
        values = asyncio.run(_percentages(home, server, subject, f"markdown-{tokens}", runs))
    return sample(values, "{:.1f} %")


async def _percentages(home: str, server: Server, subject: Subject, model: str, runs: int) -> list[float]:
    token = secrets.token_hex(16)
    command = [
        sys.executable, "-m", "jupyter_server", "--no-browser", "--ip=127.0.0.1", "--port=0", "--allow-root",
        f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={home}",
    ]  # fmt: skip
    jupyter = subprocess.Popen(  # noqa: ASYNC220  nothing else runs on the loop yet
        command,
        env={**environment(home), "JUPYTER_RUNTIME_DIR": home},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        page = await Page.open(await _url(home), token)
        await page.execute(subject.setup(server.url))
        values = []
        for _ in range(runs):
            shown = _shown(await page.execute(subject.ask(model)))
            values.append(_percent(shown, server.sent()["text"]))
        await page.close()
        return values
    finally:
        jupyter.terminate()
        jupyter.wait()


async def _url(home: str, seconds: float = 60) -> str:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for path in Path(home).glob("jpserver-*.json"):
            try:
                return f"127.0.0.1:{json.loads(path.read_text())['port']}"
            except ValueError:
                pass  # the file is not complete yet
        await asyncio.sleep(0.1)
    raise RuntimeError("jupyter_server did not start")


class Page:
    """A kernel of a jupyter_server, with the websocket that a notebook's page would open to it."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket

    @classmethod
    async def open(cls, address: str, token: str) -> Page:
        from tornado.httpclient import AsyncHTTPClient, HTTPRequest
        from tornado.websocket import websocket_connect

        headers = {"Authorization": f"token {token}"}
        request = HTTPRequest(f"http://{address}/api/kernels", "POST", headers, "{}", request_timeout=60)
        kernel = json.loads((await _fetch_when_up(AsyncHTTPClient(), request)).body)["id"]
        url = f"ws://{address}/api/kernels/{kernel}/channels?session_id={uuid4().hex}"
        return cls(await websocket_connect(HTTPRequest(url, headers=headers), max_message_size=2**28))

    async def execute(self, code: str, timeout: float = 300) -> list[dict[str, Any]]:
        """Execute a cell and return its iopub messages. The end is known from the reply, which no rate limit drops."""
        message_id = uuid4().hex
        header = {"msg_id": message_id, "msg_type": "execute_request", "username": "", "session": "", "version": "5.3"}
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": True}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
        await self._socket.write_message(json.dumps(message))
        received, replied = [], False
        while True:
            try:
                text = await asyncio.wait_for(self._socket.read_message(), 2 if replied else timeout)
            except TimeoutError:
                if replied:
                    return received  # a rate limit has dropped the idle message
                raise
            answer = json.loads(text)
            if answer["parent_header"].get("msg_id") != message_id:
                continue
            if answer["channel"] == "iopub":
                received.append(answer)
            if answer["msg_type"] == "execute_reply":
                if answer["content"]["status"] != "ok":
                    raise RuntimeError(f"{answer['content'].get('evalue')} in {code}")
                replied = True
            if replied and received and received[-1]["content"].get("execution_state") == "idle":
                return received

    async def close(self) -> None:
        self._socket.close()


async def _fetch_when_up(client: Any, request: Any) -> Any:
    for _ in range(50):
        try:
            return await client.fetch(request)
        except ConnectionError:
            await asyncio.sleep(0.2)
    raise RuntimeError("jupyter_server did not answer")


def _shown(messages: list[dict[str, Any]]) -> str:
    """Return the text that the page shows in the end: the last displayed text or Markdown, or all printed text."""
    printed, displayed = "", ""
    for message in messages:
        if message["msg_type"] == "stream":
            printed += message["content"]["text"]
        elif message["msg_type"] in {"display_data", "update_display_data"}:
            data, ours = message["content"]["data"], message["content"]["metadata"].get("sessionmagic", {})
            if ours.get("part") != "footer":
                displayed = "" if ours else data.get("text/markdown", "")
                displayed = displayed or data.get("text/plain", "")
    return displayed or printed


def _percent(shown: str, sent: str) -> float:
    """Return what percentage of the answer is shown before the first difference; 100 means that the texts are equal."""
    shown = shown[max(0, shown.find(FIRST_WORD)) :]  # chatlas prints a line break first
    if shown == sent:
        return 100.0
    length = next(
        (at for at, (left, right) in enumerate(zip(shown, sent, strict=False)) if left != right),
        min(len(shown), len(sent)),
    )
    return min(99.9, 100 * length / len(sent))
