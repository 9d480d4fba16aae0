#!/usr/bin/env bash
# pydantic-ai-slim 2.68.0: reading the messages of a run that has not begun hides the timeout that ended it.
#
# Surprising: `new_messages()` of `run_stream_events` returns what a run has said so far, also when it was cut short, so it
# is read in a `finally`. But before the run's first step it raises `UserError` ("The run has not started; …") instead of
# returning an empty list. In a `finally`, this error takes the place of the one that is on its way: a timeout, or a
# cancellation, which then never reaches the task that asked for it. It happens only when the end comes early, for
# example while an agent's tool server starts. A good guess is an empty list.
#
# Source: behaviour seen with pydantic-ai's own TestModel; the docstring of `new_messages` does not mention it.
# What follows here: turns/title and turns/agent_run read the messages only when the run has begun, or expect the error.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pydantic-ai-slim==2.68.0"
cat >"$folder/seen.py" <<'PYTHON'
import asyncio
import sys

from pydantic_ai import Agent
from pydantic_ai.models.test import TestModel


async def run():
    async with Agent(TestModel()).run_stream_events("Hello") as events:
        try:
            raise TimeoutError("took too long")
        finally:
            events.new_messages()


try:
    asyncio.run(run())
except Exception as error:
    seen = (type(error).__name__, type(error.__context__).__name__)
    print(f"raised {seen[0]}: {error}, in place of {seen[1]}")
else:
    seen = None
    print("nothing was raised")
sys.exit(0 if seen == ("UserError", "TimeoutError") else 1)
PYTHON
"$folder/venv/bin/python" "$folder/seen.py"
