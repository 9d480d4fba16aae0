#!/usr/bin/env bash
# ipykernel 7.4.0: a cell on a subshell changes the number that a running cell's output gets: In [1] has Out [2].
#
# Surprising: subshells run code beside the main shell, but all count on one counter, and a result and a reply take their
# number from the counter as it is when they are sent. So the result of a long cell has the number of the short one that
# ran meanwhile, both results are Out [2], and there is no Out [1]. A good guess is that a cell keeps the number with
# which it began.
#
# Source: behaviour seen; a result takes its number from the kernel's one counter of executions.
# What follows here: nothing of ours runs as a cell on a subshell (tests/kernel/test_numbers.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet ipykernel==7.4.0 jupyter_client==8.10.0
cat >"$folder/counted.py" <<'PYTHON'
import sys
import time

from jupyter_client import KernelManager

manager = KernelManager(kernel_name="python3")
manager.start_kernel()
client = manager.client()
client.start_channels()
client.wait_for_ready(60)
client.control_channel.send(client.session.msg("create_subshell_request", {}))
subshell = client.get_control_msg(timeout=30)["content"]["subshell_id"]
long = client.execute("import time; time.sleep(2); 'long'")
time.sleep(0.5)
content = {"code": "'short'", "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
message = client.session.msg("execute_request", content)
message["header"]["subshell_id"] = subshell
client.shell_channel.send(message)
numbers = {}
while len(numbers) < 4:
    got = client.get_iopub_msg(timeout=30)
    if got["msg_type"] in ("execute_input", "execute_result"):
        which = "long" if got["parent_header"]["msg_id"] == long else "short"
        kind = "In" if got["msg_type"] == "execute_input" else "Out"
        numbers[which, kind] = got["content"]["execution_count"]
manager.shutdown_kernel(now=True)
for which in ("long", "short"):
    print(f"{which} cell: In [{numbers[which, 'In']}], Out [{numbers[which, 'Out']}]")
sys.exit(0 if numbers["long", "In"] == 1 and numbers["long", "Out"] == numbers["short", "Out"] == 2 else 1)
PYTHON
"$folder/venv/bin/python" "$folder/counted.py"
