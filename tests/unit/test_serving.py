"""The server that holds the local model for other kernels, and what kernels make of its answers."""

import json
import signal
import threading
from dataclasses import asdict, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import psutil
import pytest

from sessionmagic import serve as serving
from sessionmagic.__main__ import main
from sessionmagic.exceptions import ModelReferenceError, UsageError
from sessionmagic.models import llama
from sessionmagic.models.shared import SharedServer, shared_server
from sessionmagic.serve import serve


def stated(address, weights="w.gguf"):
    """What the file of a server says that this process is."""
    this = psutil.Process()
    return SharedServer(address, "k", weights, 2048, this.pid, this.create_time())


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SESSIONMAGIC_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def loaded(home, monkeypatch):
    """What was loaded; there are no weights and no llama.cpp."""
    found = []
    weights = home / "small.gguf"
    weights.write_bytes(b"GGUF")

    def load(path, threads, context_length, *, key):
        found.append((path.name, threads, context_length, bool(key)))
        return SimpleNamespace(listening_address="http://127.0.0.1:9")

    monkeypatch.setattr(llama, "load", load)
    monkeypatch.setattr(serving, "check_installed", lambda: None)
    before = signal.getsignal(signal.SIGTERM)
    yield found
    signal.signal(signal.SIGTERM, before)


def test_the_file_exists_as_long_as_the_server_runs(home, loaded, monkeypatch, capsys):
    file, seen = home / "models" / "server.json", []

    def sleep(_):
        seen.append((json.loads(file.read_text())["context_length"], file.stat().st_mode & 0o777))
        raise KeyboardInterrupt

    monkeypatch.setattr(serving.time, "sleep", sleep)
    serve(str(home / "small.gguf"), threads=3, context_length=4096)
    assert loaded == [("small.gguf", 3, 4096, True)]
    assert seen == [(4096, 0o600)]
    assert not file.exists()
    assert capsys.readouterr().out.splitlines() == [
        "loading small.gguf",
        f"small.gguf answers --model local in all kernels that find {file}; Ctrl-C ends it",
        "ended",
    ]


def test_everyone_may_read_a_file_for_everyone(home, loaded, monkeypatch):
    file = home / "server.json"

    def sleep(_):
        assert file.stat().st_mode & 0o777 == 0o644
        raise KeyboardInterrupt

    monkeypatch.setattr(serving.time, "sleep", sleep)
    assert main(["serve", str(home / "small.gguf"), "--file", str(file), "--everyone"]) == 0
    assert len(loaded) == 1


@pytest.mark.usefixtures("loaded")
def test_a_file_that_cannot_be_written_is_one_line_that_names_the_option(home, capsys):
    (home / "file").write_text("")
    assert main(["serve", str(home / "small.gguf"), "--file", str(home / "file" / "server.json")]) == 1
    assert capsys.readouterr().err.strip().endswith("name another file with --file")


def test_weights_that_are_missing_are_one_line(home, capsys):
    assert main(["serve", str(home / "none.gguf")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("sessionmagic serve: ")
    assert len(error.splitlines()) == 1


@pytest.mark.usefixtures("loaded")
def test_a_second_server_is_refused(home, monkeypatch):
    other = stated("http://127.0.0.1:9", weights="other.gguf")
    monkeypatch.setattr(serving, "shared_server", lambda **_: other)
    with pytest.raises(
        UsageError, match=r"a server of other\.gguf runs already at http://127\.0\.0\.1:9; stop it first"
    ):
        serve(str(home / "small.gguf"))


# What kernels make of answers


class Answers(BaseHTTPRequestHandler):
    status, body, asked = 200, b"", 0

    def do_GET(self):
        self.do_POST()

    def do_POST(self):
        type(self).asked += 1
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(type(self).status)
        self.send_header("Content-Length", str(len(type(self).body)))
        self.end_headers()
        self.wfile.write(type(self).body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    """Return a server that answers each request with a status and a body."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as http:
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()

        def answers(body, status=200):
            Answers.status, Answers.body, Answers.asked = status, body, 0
            return stated(f"http://127.0.0.1:{http.server_port}")

        yield answers
        http.shutdown()


def received(server, enough=lambda _: False):
    chunks = []

    def receive(chunk):
        chunks.append(chunk)
        return enough(chunk)

    server.handle_chat_completions({"messages": []}, receive)
    return chunks


def test_chunks_are_passed_on_until_there_is_enough(server):
    body = b'data: {"n": 1}\n\ndata: {"n": 2}\n\nerror: {"message": "no"}\n\ndata: [DONE]\n\n'
    assert received(server(body)) == [{"n": 1}, {"n": 2}, {"error": {"message": "no"}}]
    assert received(server(body), lambda chunk: chunk["n"] == 1) == [{"n": 1}]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error": {"message": "too long", "n_ctx": 2048}}', {"message": "too long", "n_ctx": 2048}),
        (b'{"error": "no"}', {"message": "the shared server has refused the request"}),
        (b"<html>", {"message": "the shared server has refused the request"}),
    ],
)
def test_a_refusal_is_an_error_chunk(server, body, said):
    assert received(server(body, 400)) == [{"error": said}]


def test_a_server_that_is_gone_says_which_command_starts_it():
    gone = stated("http://127.0.0.1:9")
    assert not gone.is_alive
    with pytest.raises(RuntimeError, match=r"the shared server at http://127\.0\.0\.1:9 does not answer .*serve"):
        received(gone)


def test_the_environment_can_name_the_file_and_then_there_must_be_a_server(home, server, monkeypatch):
    found, file = server(b"{}"), home / "class.json"
    monkeypatch.setenv("SESSIONMAGIC_LOCAL_SERVER", str(file))
    with pytest.raises(ModelReferenceError, match="does not run; start it with"):
        shared_server()
    file.write_text(json.dumps(asdict(found)))
    assert shared_server() == found
    assert "'k'" not in repr(found)


@pytest.mark.parametrize("other", [{"process": 2**22 + 1}, {"began": 1.5}])
def test_another_process_that_has_taken_the_port_of_a_server_is_not_asked(home, server, other):
    gone = replace(server(b"{}"), **other)
    (home / "models").mkdir(parents=True, exist_ok=True)
    (home / "models" / "server.json").write_text(json.dumps(asdict(gone)))
    assert shared_server(home) is None
    assert Answers.asked == 0


# What is refused


@pytest.mark.parametrize("options", [["--threads", "0"], ["--context", "-5"]])
def test_a_number_that_cannot_be_is_refused(home, options, capsys):
    with pytest.raises(SystemExit):
        main(["serve", str(home / "small.gguf"), *options])
    assert "is not a whole number of 1 or more" in capsys.readouterr().err


@pytest.mark.usefixtures("loaded")
def test_a_file_that_is_not_of_a_server_is_left_alone(home):
    (home / "notes.json").write_text('{"notes": []}')
    with pytest.raises(UsageError, match=r"notes\.json is not the file of a server; remove it, or name another file"):
        serve(str(home / "small.gguf"), file=str(home / "notes.json"))
    assert (home / "notes.json").read_text() == '{"notes": []}'


@pytest.mark.usefixtures("loaded")
def test_weights_that_cannot_be_loaded_are_one_line(home, monkeypatch):
    def load(*_, **__):
        raise RuntimeError("not enough memory")

    monkeypatch.setattr(llama, "load", load)
    with pytest.raises(UsageError, match=r"small\.gguf cannot be loaded with a context of 2,048 tokens: not enough"):
        serve(str(home / "small.gguf"))
