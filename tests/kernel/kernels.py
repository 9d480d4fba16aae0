"""A real kernel, controlled through jupyter_client."""

import os
import signal
import sys
import threading
import time
import uuid
from collections import deque
from contextlib import contextmanager, suppress
from pathlib import Path

import zmq
from jupyter_client import KernelManager
from jupyter_client.kernelspec import KernelSpecManager

from tests.kernel.cells import PATIENCE, Cell

TESTS = Path(__file__).resolve().parent.parent
SPECS = str(Path(sys.prefix) / "share/jupyter/kernels")
LOST_SECONDS = 8.0
"""After that time, a click that the kernel has not handled is made again. It is rare, on a busy machine."""


def appears(path, timeout=PATIENCE):
    """Wait until the file exists."""
    comes_true(path.exists, timeout)


def comes_true(condition, timeout=PATIENCE):
    """Wait until the condition holds, by polling: no message announces it."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout} s"
        time.sleep(0.005)


class Kernel:
    """A kernel with a separate home directory: an ipykernel, or what another spec of this environment starts.

    Sessions are stored in `home/store`.
    """

    def __init__(self, home, arguments=(), spec="python3", **env):
        self.home = Path(home)
        self.store = self.home / "store"
        secrets = ("_API_KEY", "_TOKEN", "_BASE_URL")
        clean = {k: v for k, v in os.environ.items() if not k.endswith(secrets) and k != "JPY_SESSION_NAME"}
        path = os.pathsep.join(filter(None, [str(TESTS), os.environ.get("PYTHONPATH")]))
        self.env = clean | {
            "SESSIONMAGIC_HOME": str(self.store),
            "IPYTHONDIR": str(self.home / "ipython"),
            "PYTHONPATH": path,
            **env,
        }
        self._arguments = list(arguments)
        self._cells = {}
        self._replies = {}
        self._idle = set()
        self._outbox = deque()
        self._questions = deque()
        self._clicks = []
        """The clicks since the last wait: their message ids and arguments."""
        self._changed = threading.Condition()
        self._closing = False
        self.manager = KernelManager(
            kernel_name=spec,
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[] if spec == "python3" else [SPECS]),
            connection_file=str(self.home / f"kernel-{time.monotonic_ns()}.json"),
        )

    def start(self, **options):
        """Start the process. The options are those of `subprocess.Popen`."""
        self.manager.start_kernel(extra_arguments=self._arguments, env=self.env, cwd=str(self.home), **options)
        self._reader = threading.Thread(target=self._serve, daemon=True)
        self._reader.start()
        self._await_ready()
        return self

    def _await_ready(self):
        """Wait until the kernel runs code and its output arrives. Some versions of ipykernel lose the first request."""
        deadline = time.monotonic() + PATIENCE
        nothing = {"code": "", "silent": True, "store_history": False, "user_expressions": {}, "allow_stdin": False}
        asked = set()
        while not asked & self._idle:
            assert time.monotonic() < deadline, "the kernel does not answer"
            asked.add(self._send("shell", "execute_request", nothing))
            with self._changed:
                self._changed.wait_for(lambda: asked & self._idle, 0.5)

    def _serve(self):
        name = uuid.uuid4().bytes  # the kernel addresses stdin by the identity of the shell socket
        sockets = {
            "shell": self.manager.connect_shell(identity=name),
            "stdin": self.manager.connect_stdin(identity=name),
            "iopub": self.manager.connect_iopub(),
            "control": self.manager.connect_control(),
        }
        poller = zmq.Poller()
        for socket in sockets.values():
            poller.register(socket, zmq.POLLIN)
        while not self._closing:
            while self._outbox:
                channel, message = self._outbox.popleft()
                self.manager.session.send(sockets[channel], message)
            for socket, _ in poller.poll(4):
                _, message = self.manager.session.recv(socket)
                with self._changed:
                    self._take(message, published=socket is sockets["iopub"])
                    self._changed.notify_all()
        for socket in sockets.values():
            socket.close(linger=0)

    def _take(self, message, *, published):
        parent = (message["parent_header"] or {}).get("msg_id")  # xeus greets on iopub, asked by nobody
        cell = self._cells.get(parent)
        if message["msg_type"] == "input_request":
            self._questions.append(message["content"]["prompt"])
        elif not published:
            self._replies[parent] = message["content"]
            if cell is not None:
                cell.reply = message["content"]
        elif message["msg_type"] == "status":
            if message["content"]["execution_state"] == "idle":
                self._idle.add(parent)
                if cell is not None:
                    cell.idle_at = time.monotonic()
        elif cell is not None:
            cell.messages.append(message)

    def _send(self, channel, kind, content, subshell=None, metadata=None, code=None, msg_id=None):
        """Send a message and return its id. With `code`, collect the replies in a new `Cell`."""
        message = self.manager.session.msg(kind, content, metadata=metadata)
        if msg_id is not None:
            message["msg_id"] = message["header"]["msg_id"] = msg_id
        if subshell is not None:
            message["header"]["subshell_id"] = subshell
        msg_id = message["header"]["msg_id"]
        if code is not None:
            self._cells[msg_id] = Cell(self, msg_id, code)
        self._outbox.append((channel, message))
        return msg_id

    def until(self, condition, timeout=PATIENCE, about=None):
        with self._changed:
            if self._changed.wait_for(condition, min(timeout, LOST_SECONDS)):
                self._clicks.clear()
                return
            lost = self._click_again()
            if not self._changed.wait_for(condition, max(0, timeout - LOST_SECONDS)):
                seen = [(m["msg_type"], str(m["content"])[:200]) for m in about.messages] if about else ""
                raise AssertionError(f"not within {timeout} s, {lost} lost clicks: {about and about.code!r} {seen}")

    def _click_again(self):
        """Click again where the kernel has not even begun to handle a click, as a user would; return how often."""
        lost = [click for msg_id, click in self._clicks if msg_id not in self._idle]
        self._clicks.clear()
        for comm_id, subshell in lost:
            print(f"clicked again after {LOST_SECONDS} s: {comm_id}", file=sys.stderr)
            self.click(comm_id, subshell)
        return len(lost)

    def send(self, code, *, allow_stdin=True, subshell=None, cell_id=None, front_end="page"):
        """Send a cell as a front end does, and return at once.

        A page gives the request an id of its own form, and tells of the cell; JupyterLab with its id in the
        notebook's file. A server and a console use jupyter_client, whose ids have the number of the process: that of a
        server has started the kernel.
        """
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": allow_stdin,
            "stop_on_error": True,
        }
        metadata = {"deletedCells": [], "recordTiming": False, **({"cellId": cell_id} if cell_id else {})}
        process = {"server": os.getpid(), "console": os.getpid() + 1}.get(front_end)
        msg_id = str(uuid.uuid4()) if process is None else f"{uuid.uuid4().hex}_{process}_7"
        told = metadata if front_end == "page" else None
        return self._cells[self._send("shell", "execute_request", content, subshell, told, code=code, msg_id=msg_id)]

    def run(self, code, *, timeout=PATIENCE, **options):
        """Run a cell to its end. Repeat it if aborted: ipykernel 6 aborts requests for a moment after an error."""
        cell = self.send(code, **options).wait(timeout)
        return self.run(code, timeout=timeout, **options) if cell.status == "aborted" else cell

    @contextmanager
    def held_up(self):
        """Hold up the kernel with a cell. What is sent within the block has arrived there before any of it begins."""
        go = self.home / f"go{time.monotonic_ns()}"
        holding = self.send(f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)")
        yield
        self.request("kernel_info_request", {}, channel="control")  # sent, and thus answered, after the cells
        go.touch()
        holding.wait().ok()

    def value(self, expression, **options):
        """Return the repr of an expression's value in the kernel."""
        return self.run(f"print(repr(({expression})))", **options).ok().text.strip()

    def request(self, kind, content, channel="shell", timeout=PATIENCE):
        msg_id = self._send(channel, kind, content)
        self.until(lambda: msg_id in self._replies, timeout)
        return self._replies[msg_id]

    def complete(self, code):
        """Return the completions at the end of the code, each as the whole code with the completion inserted."""
        reply = self.request("complete_request", {"code": code, "cursor_pos": len(code)})
        assert reply["status"] == "ok"
        return [code[: reply["cursor_start"]] + match + code[reply["cursor_end"] :] for match in reply["matches"]]

    @property
    def has_subshells(self):
        return "kernel subshells" in self.request("kernel_info_request", {}).get("supported_features", [])

    def subshell(self):
        return self.request("create_subshell_request", {}, channel="control")["subshell_id"]

    def click(self, comm_id, subshell=None):
        """Click a button. JupyterLab sends clicks to a subshell for widgets; other front ends use the main shell."""
        content = {"comm_id": comm_id, "data": {"method": "custom", "content": {"event": "click"}}}
        self._clicks.append((self._send("shell", "comm_msg", content, subshell), (comm_id, subshell)))

    def refuse(self, comm_id):
        """Close a widget as JupyterLab does where it has no widget manager."""
        self._send("shell", "comm_close", {"comm_id": comm_id, "data": {}})

    def type(self, comm_id, text):
        """Type into a text box."""
        self._update(comm_id, value=text)

    def choose(self, comm_id, index, subshell=None):
        """Choose an entry of a list."""
        self._update(comm_id, subshell, index=index)

    def _update(self, comm_id, subshell=None, **state):
        content = {"comm_id": comm_id, "data": {"method": "update", "state": state, "buffer_paths": []}}
        self._send("shell", "comm_msg", content, subshell)

    def press_enter(self, comm_id):
        """Press Enter in a text box. JupyterLab may send this before the last characters that were typed."""
        content = {"comm_id": comm_id, "data": {"method": "custom", "content": {"event": "submit"}}}
        self._send("shell", "comm_msg", content)

    def reply(self, text):
        """Answer the running cell's next question on stdin, and return the question."""
        self.until(lambda: self._questions)
        question = self._questions.popleft()
        self._send("stdin", "input_reply", {"value": text})
        return question

    def widgets(self):
        """Return the states of all widgets by id, requested in the way of a reloaded page.

        ipywidgets fails if a thread makes a widget while it looks through all of them. Then it is asked again.
        """
        while (states := self._states()) is None:
            pass
        return states

    def _states(self):
        self.request("kernel_info_request", {})
        control = {"comm_id": uuid.uuid4().hex}
        opening = control | {"target_name": "jupyter.widget.control", "data": {}}
        self._send("shell", "comm_open", opening, metadata={"version": "1.0.0"})
        request = control | {"data": {"method": "request_states"}}
        asked = self._cells[self._send("shell", "comm_msg", request, code="widgets")]
        asked.until(lambda asked: asked.contents("comm_msg") or asked.contents("stream"))
        self.forget(asked)
        if not (answers := asked.contents("comm_msg")):
            assert "changed size during iteration" in asked.contents("stream")[0]["text"]
            return None
        return {key: widget["state"] for key, widget in answers[0]["data"]["states"].items()}

    def interrupt(self):
        at = time.monotonic()
        self.manager.interrupt_kernel()
        return at

    @property
    def pid(self):
        return self.manager.provisioner.pid

    def kill(self):
        """Kill the kernel with SIGKILL, and wait until the process has ended."""
        os.kill(self.pid, signal.SIGKILL)
        comes_true(lambda: not self.manager.is_alive())

    def restart(self):
        self.manager.restart_kernel(now=False)
        self._await_ready()

    def shutdown(self, *, now=False):
        """End the kernel: kill it if `now`, else ask it to shut down."""
        self._closing = True
        self._reader.join(5)
        self.manager.shutdown_kernel(now=now)

    def settle(self):
        """End the cells that a test has left running. One that does not end is no later test's business."""
        running = [cell for cell in self._cells.values() if not cell.done]
        for _ in range(5):  # Python loses an interrupt that arrives during a finalizer
            if all(cell.done for cell in running):
                return
            self.interrupt()
            with suppress(AssertionError):
                self.until(lambda: all(cell.done for cell in running), 3)
        try:
            self.until(lambda: all(cell.done for cell in running), about=running[0])
        finally:
            for cell in running:
                self.forget(cell)

    def forget(self, cell):
        """Wait no more for a cell whose request or reply was lost."""
        del self._cells[cell.msg_id]
