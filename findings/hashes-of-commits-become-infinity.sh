#!/usr/bin/env bash
# PyYAML 6.0.4 and ruamel.yaml 0.19.1: a commit 12e4567 that PyYAML writes is infinity for a reader of YAML 1.2.
#
# Surprising: `yaml.safe_dump` quotes a text that PyYAML would read as something else, by YAML 1.1, where a float has a
# dot. So `12e4567`, `1e5` and `0o17` are written bare, and a reader of YAML 1.2 has inf, 100000.0 and 15. One of sixty
# short hashes of commits is such a number, so that a file of results, or a lock file, is right for months. The other
# way is better known: `on` and `1:30`, which ruamel.yaml writes bare, are True and 90 to PyYAML. A good guess is that
# the older YAML is the one that sees more in a bare text, so that what it writes is safe for the newer one.
# `default_style='"'` quotes all.
#
# Source: yaml/pyyaml, issue 860, which tells it of parsers in Go and Rust; behaviour seen with the two libraries.
# What follows here: agents/yaml_text writes YAML itself, and quotes such texts.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet PyYAML==6.0.4 ruamel.yaml==0.19.1
cat >"$folder/seen.py" <<'PYTHON'
import io
import sys
from math import inf

import yaml
from ruamel.yaml import YAML

newer = YAML(typ="safe", pure=True)
TEXTS = ["12e4567", "1e5", "0o17", "yes", "on", "1:30"]


def by_ruamel(value):
    stream = io.StringIO()
    newer.dump({"commit": value}, stream)
    return stream.getvalue()


seen = {}
for text in TEXTS:
    by_pyyaml = yaml.safe_dump({"commit": text})
    seen[text] = (newer.load(by_pyyaml)["commit"], yaml.safe_load(by_ruamel(text))["commit"])
    print(f"PyYAML writes {by_pyyaml.strip():17} ruamel.yaml reads {seen[text][0]!r:10} and back: {seen[text][1]!r}")
expected = [(inf, "12e4567"), (1e5, "1e5"), (15, "0o17"), ("yes", True), ("on", True), ("1:30", 90)]
sys.exit(0 if list(seen.values()) == expected else 1)
PYTHON
"$folder/venv/bin/python" "$folder/seen.py"
