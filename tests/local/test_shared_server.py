"""One local model for all kernels of a machine, with the real llama.cpp and weights."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from sessionmagic import Models, SessionManager, TinyStore
from sessionmagic.conversation.events import ModelAwaited
from sessionmagic.exceptions import ModelReferenceError
from sessionmagic.models import llama, waits
from sessionmagic.models.shared import VARIABLE, SharedServer, shared_server
from tests.kernel.kernels import Kernel
from tests.turns import ask, events_of, on_a_loop, until

SHORT = {"max_tokens": 4, "seed": 1}


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


def environment(home, **more):
    return {**os.environ, "SESSIONMAGIC_HOME": str(home), **more}


class Serving:
    """A server in a process of its own."""

    def __init__(self, home, *options):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sessionmagic", "serve", *options],
            env=environment(home),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines = [self.process.stdout.readline(), self.process.stdout.readline()]

    def end(self, how=signal.SIGINT):
        self.process.send_signal(how)
        rest, _ = self.process.communicate(timeout=30)
        return rest


@pytest.fixture
def serving(home):
    started = []

    def start(*options):
        started.append(Serving(home, *options))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.end(signal.SIGKILL)


def manager_of(home):
    return SessionManager(TinyStore(home), Models("local", home=home))


def server_in(home):
    return json.loads((home / "models" / "server.json").read_text())


@on_a_loop
async def test_turns_are_answered_by_the_server_one_after_the_other_and_say_that_they_wait(serving, home, monkeypatch):
    monkeypatch.setattr(waits, "LONG", 0.05)
    lines = serving().lines
    assert "loading SmolLM2" in lines[0]
    assert "answers --model local in all kernels" in lines[1]
    assert (home / "models" / "server.json").stat().st_mode & 0o777 == 0o600
    manager = manager_of(home)
    long = {"max_tokens": 60, "seed": 1}
    first = await manager.run("Count", session="one", model="local", settings=long)
    await until(lambda: first.transcript.text)
    second = await manager_of(home).run("Hi", session="two", model="local", settings=SHORT)
    events = await events_of(second)
    assert [event.why for event in events if isinstance(event, ModelAwaited)] == [
        "waiting for its turn at the local model"
    ]
    results = [await first.result(), await second.result()]
    assert [result.status for result in results] == ["completed", "completed"]
    address = server_in(home)["address"]
    assert all(isinstance(engine._server, SharedServer) for key, engine in llama._engines.items() if address in key)


@on_a_loop
async def test_a_turn_that_is_stopped_gives_way_to_the_next_one(serving, home):
    serving()
    manager = manager_of(home)
    endless = await manager.run("Count", session="one", model="local", settings={"max_tokens": 100_000})
    await until(lambda: endless.transcript.text)
    endless.cancel()
    assert (await ask(manager, "Hi", "two", model="local", settings=SHORT)).status == "completed"


@on_a_loop
async def test_a_server_that_is_gone_is_an_error_in_a_running_turn_and_afterwards_the_kernel_has_its_own(serving, home):
    server = serving()
    manager = manager_of(home)
    turn = await manager.run("Count", session="one", model="local", settings={"max_tokens": 100_000})
    await until(lambda: turn.transcript.text)
    server.end(signal.SIGKILL)
    result = await turn.result()
    assert result.status == "failed"
    assert "the shared server at http://127.0.0.1:" in str(result.error)
    assert "`sessionmagic serve` starts it" in str(result.error)
    assert (
        await (await manager.run("Hi", session="one", model="local", settings=SHORT)).result()
    ).status == "completed"
    serving()
    before = server_in(home)["address"]
    assert (
        await (await manager.run("Hi", session="one", model="local", settings=SHORT)).result()
    ).status == "completed"
    assert any(before in key for key in llama._engines)


def test_it_ends_with_a_word_and_takes_its_file_along(serving, home):
    server = serving()
    assert server.end(signal.SIGTERM) == "ended\n"
    assert server.process.returncode == 0
    assert not (home / "models" / "server.json").exists()


def test_it_leaves_the_file_of_another_server_alone(serving, home):
    server, file = serving(), home / "models" / "server.json"
    file.write_text(json.dumps(server_in(home) | {"key": "of another one"}))
    server.end(signal.SIGTERM)
    assert server_in(home)["key"] == "of another one"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--file", "{notes}"], "{notes} is not the file of a server; remove it, or name another file with --file"),
        (["--file", "{folder}"], "{folder} is not the file of a server; remove it, or name another file with --file"),
        (["--threads", "0"], "argument --threads: 0 is not a whole number of 1 or more"),
        (["--context", "-5"], "argument --context: -5 is not a whole number of 1 or more"),
    ],
)
def test_what_cannot_be_served_is_one_line(home, tmp_path, options, says):
    notes = tmp_path / "notes.json"
    notes.write_text("{}")
    paths = {"notes": notes, "folder": tmp_path}
    refused = subprocess.run(
        [sys.executable, "-m", "sessionmagic", "serve", *(each.format(**paths) for each in options)],
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode != 0
    assert refused.stderr.splitlines()[-1].endswith(says.format(**paths))
    assert notes.read_text() == "{}"


def test_a_second_server_is_refused(serving, home):
    serving()
    again = subprocess.run(
        [sys.executable, "-m", "sessionmagic", "serve"],
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 1
    assert again.stderr.startswith(
        "sessionmagic serve: a server of SmolLM2-135M-Instruct.Q4_1.gguf runs already at http"
    )


def test_a_hub_names_the_file_and_its_kernels_need_no_weights(serving, tmp_path, monkeypatch):
    file = tmp_path / "hub" / "server.json"
    monkeypatch.setenv(VARIABLE, str(file))
    with pytest.raises(ModelReferenceError, match=r"does not run; start it with `sessionmagic serve --file "):
        shared_server()
    serving("--file", str(file), "--everyone")
    assert file.stat().st_mode & 0o777 == 0o644
    monkeypatch.setattr("sessionmagic.models.weights._packaged_weights", lambda: None)
    assert Models("local", home=tmp_path / "empty").resolve("local").reference == "local"


@pytest.fixture
def open_folder():
    """A folder that other users can enter, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_everyone_can_enter_a_folder_that_is_made_for_the_file(serving, open_folder):
    before = os.umask(0o077)
    try:
        server = serving("--file", str(open_folder / "class" / "one" / "server.json"), "--everyone")
    finally:
        os.umask(before)
    assert {folder.stat().st_mode & 0o777 for folder in open_folder.glob("**")} == {0o755}
    assert server.end() == "ended\n"


def test_a_closed_folder_that_keeps_everyone_from_the_file_is_told(serving, open_folder):
    open_folder.chmod(0o700)
    server = serving("--file", str(open_folder / "server.json"), "--everyone")
    warning = f"other users may not find it, as {open_folder} is closed to them; name a file elsewhere with --file"
    assert server.process.stdout.readline() == f"{warning}\n"


def test_a_file_that_may_not_be_read_is_not_called_a_server_that_does_not_run(tmp_path, monkeypatch):
    file = tmp_path / "server.json"
    monkeypatch.setenv(VARIABLE, str(file))

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)  # root, as which tests may run, may read everything
    with pytest.raises(ModelReferenceError, match=r"you may not read that file; whoever starts .* adds --everyone$"):
        shared_server()


LOADING_FOREVER = """
from sessionmagic.__main__ import main
from sessionmagic.models import llama

load = llama.load

def load_again_and_again(*args, **options):
    while True:
        load(*args, **options)

llama.load = load_again_and_again
main(["serve"])
"""


def test_an_interrupt_while_it_loads_ends_it_without_a_traceback(home):
    process = subprocess.Popen(
        [sys.executable, "-c", LOADING_FOREVER],
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (-signal.SIGINT, "")


THIS = {
    "address": "http://127.0.0.1:1",
    "key": "k",
    "weights": "w.gguf",
    "context_length": 2048,
    "process": os.getpid(),
    "began": psutil.Process().create_time(),
}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        json.dumps(THIS),
        json.dumps(THIS | {"address": "http://203.0.113.1:80"}),
        json.dumps(THIS | {"key": 1, "weights": None, "context_length": "x"}),
        json.dumps(THIS | {"process": "x", "began": None}),
    ],
)
def test_a_file_of_no_server_of_this_machine_is_passed_over(home, content):
    (home / "models").mkdir(parents=True)
    (home / "models" / "server.json").write_text(content)
    assert shared_server(home) is None


@pytest.mark.nightly
def test_ten_kernels_share_one_model_and_none_fails(serving, tmp_path):
    file = tmp_path / "server.json"
    serving("--file", str(file))
    kernels = []
    try:
        for number in range(10):
            place = tmp_path / str(number)
            place.mkdir()
            kernels.append(Kernel(place, **{VARIABLE: str(file)}).start())
        for kernel in kernels:
            kernel.run("%load_ext sessionmagic").ok()
        cells = [kernel.send("%%agent -m local --set max_tokens=60 seed=1\nTell a story") for kernel in kernels]
        assert [cell.wait().status for cell in cells] == ["ok"] * 10
        assert any("waiting for its turn at the local model" in str(cell.messages) for cell in cells)
        loaded = "sorted({type(engine._server).__name__ for engine in llama._engines.values()})"
        for kernel in kernels:
            kernel.run("from sessionmagic.models import llama").ok()
            assert kernel.value(loaded) == "['SharedServer']"
    finally:
        for kernel in kernels:
            kernel.shutdown(now=True)
