#!/usr/bin/env bash
# pydantic-ai-slim 2.68.0: a request that is cancelled in mid-stream gets no after_model_request, but its usage counts.
#
# Surprising: `AgentRunEvents.cancel()` keeps the partial response in `new_messages()`, marked as interrupted and with
# its usage, and yet neither `after_model_request` nor `on_model_request_error` of a capability is called for it. Whoever
# counts tokens, cost or time in these hooks misses every answer that a user has stopped, while the sum over the messages
# has it. A good guess is that one of the two hooks ends each `before_model_request`.
#
# Source: the docstrings in pydantic_ai/capabilities/abstract.py say that cancellation skips the hooks after a node, and
# nothing of it at the two hooks themselves. Behaviour seen with a scripted FunctionModel.
# What follows here: turns/model_requests closes the open request itself, from the messages, when a run has ended.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pydantic-ai-slim==2.68.0"
cat >"$folder/seen.py" <<'PYTHON'
import asyncio
import sys
from dataclasses import dataclass, field

from pydantic_ai import Agent
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.exceptions import RunCancelled
from pydantic_ai.messages import PartStartEvent
from pydantic_ai.models.function import FunctionModel


async def answer(messages, info):
    yield "So far"
    await asyncio.Event().wait()
    yield ""


@dataclass
class Hooks(AbstractCapability[None]):
    called: list = field(default_factory=list)

    async def before_model_request(self, ctx, request_context):
        self.called.append("before_model_request")
        return request_context

    async def after_model_request(self, ctx, *, request_context, response):
        self.called.append("after_model_request")
        return response

    async def on_model_request_error(self, ctx, *, request_context, error):
        self.called.append("on_model_request_error")
        raise error


async def main():
    hooks = Hooks()
    agent = Agent(FunctionModel(stream_function=answer), capabilities=[hooks])
    try:
        async with agent.run_stream_events("Hello") as events:
            async for event in events:
                if isinstance(event, PartStartEvent):
                    events.cancel()
    except RunCancelled:
        pass
    response = events.new_messages()[-1]
    print("hooks called:", hooks.called)
    print("last message:", response.state, response.usage)
    return hooks.called == ["before_model_request"] and response.state == "interrupted" and response.usage.output_tokens > 0


sys.exit(0 if asyncio.run(main()) else 1)
PYTHON
"$folder/venv/bin/python" "$folder/seen.py"
