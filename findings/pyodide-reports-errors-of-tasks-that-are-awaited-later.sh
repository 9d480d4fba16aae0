#!/usr/bin/env bash
# Pyodide 314.0.7: its loop reports the error of each task that has no callback when it ends, even if it is awaited later.
#
# Surprising: asyncio reports such an error when the task is collected and nobody has asked for it. Pyodide's loop reports
# it as "Unhandled exception in event loop", with a traceback, as soon as the task ends and nothing awaits it at that
# moment. Stopping a run of pydantic-ai, whose task is awaited after its last event, printed a page of tracebacks.
#
# Source: WebLoop._decrement_in_progress in pyodide/webloop.py; behaviour seen with the calls below.
# What follows here: only_thread leaves such reports out while a cell waits.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --silent --no-audit --no-fund --prefix "$folder" pyodide@314.0.7
cat >"$folder/seen.mjs" <<'JAVASCRIPT'
import { loadPyodide } from "pyodide";
const pyodide = await loadPyodide();
const reported = await pyodide.runPythonAsync(`
import asyncio

async def fail():
    raise ValueError("seen")

reported = []
asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context))
task = asyncio.create_task(fail())
await asyncio.sleep(0.01)
try:
    await task
except ValueError:
    pass
len(reported)
`);
console.log(`${reported} error was reported that is awaited later`);
process.exit(reported === 1 ? 0 : 1);
JAVASCRIPT
node "$folder/seen.mjs"
