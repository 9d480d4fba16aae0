#!/usr/bin/env bash
# IPython 9.18.1: an interrupt that comes during a `pre_execute` or `pre_run_cell` callback is printed, and the cell runs.
#
# Surprising: a user who presses Interrupt wants the cell to stop. While a callback runs before the cell, because an
# extension waits for something there, IPython treats `KeyboardInterrupt` like any other error of a callback: it prints
# "Error in callback …" with a traceback, and then runs the cell that was interrupted, as if nothing had been pressed. A
# good guess is that callbacks are protected from `Exception` only, so that an interrupt ends the cell.
#
# Source: behaviour seen; `EventManager.trigger` in `IPython/core/events.py` catches `KeyboardInterrupt`, too.
# What follows here: notebook/warm_up turns such an interrupt into one of the cell, through its syntax tree.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet ipython==9.18.1
cat >"$folder/seen.py" <<'PYTHON'
import sys

from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()


def wait():
    raise KeyboardInterrupt  # as the signal's handler does while a callback waits


shell.events.register("pre_execute", wait)
result = shell.run_cell("ran = True", store_history=False)
ran = shell.user_ns.get("ran", False)
print("the cell ran:", ran, "- its error:", result.error_before_exec or result.error_in_exec)
sys.exit(0 if ran else 1)
PYTHON
IPYTHONDIR="$folder" "$folder/venv/bin/python" "$folder/seen.py"
