#!/usr/bin/env bash
# filelock 4.3.1: releasing a FileLock on another thread than that which took it does nothing, and says nothing.
#
# Surprising: `await asyncio.to_thread(lock.acquire)`, so that the loop does not wait, and later `lock.release()` leave the
# file locked until the process ends. On the thread of the release, `is_locked` was False all the time, and `release` of a
# lock that is not held is no error. Even the same object cannot take it again. `threading.Lock` can be released by any
# thread, and `threading.RLock` raises; a good guess is one of the two. `FileLock(path, thread_local=False)` is released.
#
# Source: `thread_local` in filelock's documentation, which does not speak of release; behaviour seen.
# What follows here: storage/locks makes all locks with thread_local=False.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet filelock==4.3.1
cat >"$folder/seen.py" <<'PYTHON'
import asyncio
import sys

from filelock import FileLock, Timeout


async def used(lock):
    await asyncio.to_thread(lock.acquire)
    believed = lock.is_locked
    lock.release()
    try:
        FileLock(lock.lock_file, timeout=0).acquire()
    except Timeout:
        return believed, "still locked"
    return believed, "released"


seen = {}
for local in (True, False):
    seen[local] = asyncio.run(used(FileLock(f"{sys.argv[1]}/{local}.lock", thread_local=local)))
    print(f"thread_local={local}: is_locked was {seen[local][0]}, and after release it is {seen[local][1]}")
sys.exit(0 if seen == {True: (False, "still locked"), False: (True, "released")} else 1)
PYTHON
"$folder/venv/bin/python" "$folder/seen.py" "$folder"
