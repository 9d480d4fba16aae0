#!/usr/bin/env bash
# openai 3.57.0: `import openai` imports aiohttp if it happens to be installed, although no client uses it.
#
# Surprising: aiohttp is an extra of the SDK (`openai[aiohttp]`), for `DefaultAioHttpClient`. But the SDK looks for it when
# it is imported itself, not when that client is made. So in an environment with aiohttp, which comes with Dask, Ray,
# fsspec or Jupyter tools, the same import loads a second HTTP stack, and takes up to 0.2 s longer than in a fresh one. A
# good guess is that an optional client is imported when it is used.
#
# Source: behaviour seen; the SDK imports its adapter for aiohttp with its clients.
# What follows here: the SDK is imported on a thread before the first turn (notebook/warm_up).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
cat >"$folder/seen.py" <<'PYTHON'
import sys

import openai

client = openai.AsyncOpenAI(api_key="none")
roots = [each.__module__.partition(".")[0] for each in type(client._client).__mro__]
own = next(root for root in roots if root != "openai")
imported = "aiohttp" in sys.modules
print(f"openai {openai.__version__}: the client is one of {own}; aiohttp is", "imported" if imported else "not imported")
sys.exit(0 if imported == (sys.argv[1] == "full") else 1)
PYTHON
"$folder/venv/bin/pip" install --quiet openai==3.57.0
"$folder/venv/bin/python" "$folder/seen.py" bare
"$folder/venv/bin/pip" install --quiet aiohttp==3.14.5
"$folder/venv/bin/python" "$folder/seen.py" full
