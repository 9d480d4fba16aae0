#!/usr/bin/env bash
# httpx 0.28.1: `import httpx` imports a command line with rich, click and pygments if these happen to be installed.
#
# Surprising: a program that only makes requests pays for a terminal interface. `httpx` tries to import its command line
# when it is imported itself, and only leaves it out if rich or click is missing. Both come with much else (Typer,
# Hugging Face, Jupyter tools), so the same import is slower in a full environment than in a fresh one, and a measurement
# of import time in a clean environment says nothing about a user's. A good guess is that the optional extra `cli` is
# imported when the command runs.
#
# Source: behaviour seen; `httpx/__init__.py` imports `_main` in a `try`.
# What follows here: SDKs that use httpx are imported on a thread before the first turn (notebook/warm_up).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
cat >"$folder/seen.py" <<'PYTHON'
import sys

import httpx

roots = {name.partition(".")[0] for name in sys.modules}
print(f"httpx {httpx.__version__}: {len(sys.modules)} modules,", ", ".join(sorted({"click", "rich"} & roots)) or "no command line")
sys.exit(0 if ({"click", "rich"} <= roots) == (sys.argv[1] == "full") else 1)
PYTHON
"$folder/venv/bin/pip" install --quiet httpx==0.28.1
"$folder/venv/bin/python" "$folder/seen.py" bare
"$folder/venv/bin/pip" install --quiet rich==15.0.0 click==8.5.1
"$folder/venv/bin/python" "$folder/seen.py" full
