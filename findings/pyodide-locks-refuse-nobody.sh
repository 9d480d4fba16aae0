#!/usr/bin/env bash
# Pyodide 314.0.7: fcntl.flock succeeds for everybody, and so does filelock.FileLock.
#
# Surprising: an exclusive lock that is held can be taken again through another open file, without an error. Two turns of
# one kernel would both claim a session. filelock knows file systems that say that they have no locks (ENOSYS); this one
# says that it has given them.
#
# Source: flock of Emscripten's file system in memory; behaviour seen with the calls below.
# What follows here: storage/locks keeps the locks of the one process in memory.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --silent --no-audit --no-fund --prefix "$folder" pyodide@314.0.7
cat >"$folder/seen.mjs" <<'JAVASCRIPT'
import { loadPyodide } from "pyodide";
const pyodide = await loadPyodide();
const given = await pyodide.runPythonAsync(`
import fcntl

first, second = open("/tmp/lock", "w"), open("/tmp/lock", "w")
given = 0
for file in (first, second):
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        given += 1
    except OSError:
        pass
given
`);
console.log(`${given} exclusive locks of one file are held`);
process.exit(given === 2 ? 0 : 1);
JAVASCRIPT
node "$folder/seen.mjs"
