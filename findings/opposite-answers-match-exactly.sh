#!/usr/bin/env bash
# inspect_ai 0.3.285: the scorer `exact` takes -5 for 5, `x < 3` for `x > 3`, and 10^3 for 103.
#
# Surprising: `exact()` compares what is left of an answer without punctuation, case, and the words a, an and the. That
# is made for short answers in prose. In an answer of mathematics, code or letters, the signs are what it says: `2*3` is
# `2/3`, `C++` is `C#`, and blood of type A is blood of a type. So wrong answers count as right, and no summary shows
# it. `f1` cleans in the same way, and gives 1. `match(numeric=True)` minds the sign of a number. A good guess is that
# `exact` is the strictest of the scorers, or that only the ends of an answer are cleaned.
#
# Source: its documentation says that text is normalized; behaviour seen with the scorers.
# What follows here: a score is a function of the user's own (comparing/scoring), and no answer is cleaned for it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet inspect_ai==0.3.285
cat >"$folder/seen.py" <<'PYTHON'
import asyncio
import sys

from inspect_ai.model import ModelName, ModelOutput
from inspect_ai.scorer import Target, exact, f1, match
from inspect_ai.solver import TaskState

PAIRS = [("-5", "5"), ("x < 3", "x > 3"), ("10^3", "103"), ("2*3", "2/3"), ("C++", "C#"), ("type A", "type")]
SCORERS = {"exact": exact(), "f1": f1(), "match, numeric": match(numeric=True)}


def state(answer):
    output = ModelOutput.from_content("m", answer)
    return TaskState(ModelName("mockllm/model"), 1, 1, "", [], target=Target(""), output=output)


async def scores(answer, target):
    return {name: (await scorer(state(answer), Target(target))).value for name, scorer in SCORERS.items()}


seen = {pair: asyncio.run(scores(*pair)) for pair in PAIRS}
for (answer, target), values in seen.items():
    print(f"{answer!r} for {target!r}:", values)
lenient = all((values["exact"], values["f1"]) == ("C", 1.0) for values in seen.values())
other = asyncio.run(scores("6", "5"))["exact"]
sys.exit(0 if lenient and other == "I" and seen["-5", "5"]["match, numeric"] == "I" else 1)
PYTHON
"$folder/venv/bin/python" "$folder/seen.py"
