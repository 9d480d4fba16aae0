#!/usr/bin/env bash
# ipykernel 7.4.0: an interrupt of a cell that awaits takes effect only when something else wakes the event loop.
#
# Surprising: `await asyncio.sleep(6)` at the top level of a cell, interrupted after one second, ends after six, while
# `time.sleep(6)` ends at once. The interrupt asks for the cancellation of the cell's task, and the loop learns of that when
# it next wakes. What the cell then raises is CancelledError. A good guess is KeyboardInterrupt, at once, as in ipykernel 6.
#
# Source: behaviour seen.
# What follows here: what a cell awaits of ours wakes four times a second (notebook/cell_work, tests/kernel/test_background.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet ipykernel==7.4.0 jupyter_client==8.10.0
cat >"$folder/interrupted.py" <<'PYTHON'
import sys
import time

from jupyter_client import KernelManager

manager = KernelManager(kernel_name="python3")
manager.start_kernel()
client = manager.client()
client.start_channels()
client.wait_for_ready(60)
ended = {}
for code in ("import time; time.sleep(6)", "import asyncio; await asyncio.sleep(6)"):
    began = time.monotonic()
    client.execute(code)
    time.sleep(1)
    manager.interrupt_kernel()
    reply = client.get_shell_msg(timeout=30)["content"]
    ended[code] = time.monotonic() - began
    print(f"{code}: {reply.get('ename', reply['status'])} after {ended[code]:.1f} s, interrupted after 1 s")
manager.shutdown_kernel(now=True)
asleep, awaiting = ended.values()
sys.exit(0 if asleep < 3 < 5 < awaiting else 1)
PYTHON
"$folder/venv/bin/python" "$folder/interrupted.py"
