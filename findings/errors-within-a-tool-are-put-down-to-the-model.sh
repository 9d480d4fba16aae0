#!/usr/bin/env bash
# pydantic-ai-slim 2.68.0: a `ValidationError` that a tool's own code raises is sent to the model as its mistake.
#
# Surprising: a tool that reads a service's answer with a pydantic model, and finds it invalid, has not failed like any
# other: the run goes on, and the model is told that its call did not validate, with the places and the values of the
# service's answer, which it has never seen. It makes the same call again, which runs the tool again, until the retries
# are used up; the run then fails with the advice to raise their number. Each try is paid for, and what the service said
# has been sent to the provider. A `ValueError` of the same line ends the run at once, as the documentation says of all
# but two exceptions, although `ValidationError` is a subclass of it. A good guess is that only the arguments are
# validated in this way.
#
# Source: the section on retries in docs/tools-advanced.md says that any other exception propagates; behaviour seen.
# What follows here: turns/tool_run makes one result of whatever a tool raises, so that it is no retry.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pydantic-ai-slim==2.68.0"
cat >"$folder/seen.py" <<'PYTHON'
import sys

from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.messages import ModelResponse, ToolCallPart
from pydantic_ai.models.function import FunctionModel


class Quote(BaseModel):
    amount: float


def answer(messages, info):
    told.extend(part.content for part in messages[-1].parts if part.part_kind == "tool-return")
    return ModelResponse(parts=[ToolCallPart("price", {"name": "tea"})])


def price(name: str) -> float:
    ran.append(name)
    return Quote.model_validate({"amount": "sold out"}).amount if validates else float("sold out")


seen = []
for validates in (True, False):
    told, ran = [], []
    agent = Agent(FunctionModel(answer), tools=[price], retries={"tools": 2})
    try:
        agent.run_sync("What is the price of tea?")
    except Exception as error:
        seen.append((type(error).__name__, len(ran), told[0][0]["loc"] if told else None))
        print(f"the tool ran {len(ran)} times, then {type(error).__name__}: {error}")
        print("the model was told:", told[0] if told else "nothing")
sys.exit(0 if seen == [("UnexpectedModelBehavior", 3, ["amount"]), ("ValueError", 1, None)] else 1)
PYTHON
"$folder/venv/bin/python" "$folder/seen.py"
