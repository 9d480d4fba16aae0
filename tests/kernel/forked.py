"""Kernels that are forked from a process which has imported what every kernel imports, and nothing of sessionmagic.

Each is a process of its own, as new as one that was started, but for half of the processor time.
"""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import nullcontext, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from unittest.mock import patch

import psutil

MODULES = (
    "ipykernel.kernelapp",
    "pydantic_ai",
    "pydantic_ai.models.function",
    "pydantic_ai.models.test",
    "genai_prices",
)
"""What is imported before the fork. Not ipywidgets, which looks for its kernel when it is imported."""


def forking():
    """Fork the kernels that are started within the block, where that is safe."""
    from jupyter_client.provisioning import local_provisioner

    if sys.platform != "linux":
        return nullcontext()
    return patch.object(local_provisioner, "launch_kernel", _parent().launch)


@cache
def _parent():
    return Parent()


class Parent:
    """A process that forks kernels, and ends with this one."""

    def __init__(self):
        self._ours, theirs = socket.socketpair()
        path = os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")]))
        self._env = {"JPY_PARENT_PID": str(os.getpid())}  # ipykernel reads it when it is imported
        env = os.environ | self._env | {"PYTHONPATH": path}
        self._process = subprocess.Popen([sys.executable, __file__], stdin=theirs, env=env, start_new_session=True)
        theirs.close()
        atexit.register(self._end)

    def _end(self):
        self._process.kill()
        self._process.wait()

    def launch(self, command, *, env, cwd, **options):
        """Fork what `jupyter_client.launch_kernel` would start; leave other kernels to that."""
        from jupyter_client import launch_kernel

        if command[1:3] != ["-m", "ipykernel_launcher"]:
            return launch_kernel(command, env=env, cwd=cwd, **options)
        self._ours.sendall(json.dumps([command[3:], env | self._env, cwd]).encode() + b"\n")
        return Forked(int(self._ours.recv(16)))


class Forked:
    """What jupyter_client uses of a `subprocess.Popen`, for the child of another process."""

    stdin = stdout = stderr = None

    def __init__(self, pid):
        self.pid = pid
        self._process = psutil.Process(pid)

    def poll(self):
        return None if self._process.is_running() else 0

    def wait(self):
        self._process.wait()
        return 0

    def send_signal(self, number):
        with suppress(psutil.NoSuchProcess):
            self._process.send_signal(number)


def main():
    """Fork a kernel for each line on stdin. The kernel answers with its process id."""
    del sys.path[0]  # the folder of this file
    for name in MODULES:
        import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # leaves no zombies
    socket_to_tests = socket.socket(fileno=0)
    for line in socket_to_tests.makefile():
        if os.fork() == 0:
            os.setsid()
            socket_to_tests.sendall(str(os.getpid()).encode())
            be_kernel(*json.loads(line))
            return


def be_kernel(arguments, env, cwd):
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.argv[1:] = arguments
    sys.modules["ipykernel.kernelapp"].launch_new_instance()


if __name__ == "__main__":
    main()
