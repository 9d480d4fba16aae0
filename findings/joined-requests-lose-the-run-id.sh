#!/usr/bin/env bash
# pydantic-ai-slim 2.68.0: a model is sent no run id with a prompt that follows another request of the history.
#
# Surprising: each message of a run has its `run_id`, which tells the run's own messages from the history that it was
# given. But a history that ends in a request (a prompt whose turn was stopped, or a summary) is joined with the new
# prompt into one request, after the hooks and before the model, and that request has no `run_id` at all, not even the
# run's. So a wrapper of the model cannot tell where the run begins, while `before_model_request` still can. A good guess
# is that the joined request keeps the id of the run that sends it.
#
# Source: behaviour seen with a scripted FunctionModel; the documentation of `message_history` does not mention it.
# What follows here: turns/shortened notes the run's own messages in the hook, where they are not joined yet.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pydantic-ai-slim==2.68.0"
cat >"$folder/seen.py" <<'PYTHON'
import asyncio
import sys
from dataclasses import dataclass

from pydantic_ai import Agent
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.messages import ModelRequest
from pydantic_ai.models.function import FunctionModel

seen = {}


def described(messages):
    return [(len(message.parts), message.run_id is not None) for message in messages]


async def answer(messages, info):
    seen["model"] = described(messages)
    yield "Fine."


@dataclass
class Hooks(AbstractCapability[None]):
    async def before_model_request(self, ctx, request_context):
        seen["hook"] = described(request_context.messages)
        return request_context


async def main():
    agent = Agent(FunctionModel(stream_function=answer), capabilities=[Hooks()])
    history = [ModelRequest.user_text_prompt("Before")]
    async with agent.run_stream_events("Now", message_history=history) as events:
        async for _ in events:
            pass


asyncio.run(main())
print("parts and whether there is a run id, in before_model_request:", seen["hook"])
print("parts and whether there is a run id, at the model:           ", seen["model"])
sys.exit(0 if seen == {"hook": [(1, False), (1, True)], "model": [(2, False)]} else 1)
PYTHON
"$folder/venv/bin/python" "$folder/seen.py"
