#!/usr/bin/env bash
# uv 0.9.0: with `--resolution lowest-direct`, what a project's extra requires is not a direct requirement.
#
# Surprising: a dependency group `test = ["demo[frames]"]` of the project `demo` itself asks for its extra, and the lowest
# version of what that extra requires is not chosen, but the highest. It is the lowest only if the extra stands beside the
# path, as in `--editable ".[frames]"`. So tests with the lowest versions can miss the extras altogether. A good guess is
# that requirements written in the project's own pyproject.toml are direct, whichever way they are asked for.
#
# Source: behaviour seen; the documentation says "direct dependencies" only.
# What follows here: `.ci/run` installs the extras beside the path where it wants the lowest versions.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet uv==0.9.0
mkdir -p "$folder/demo/demo"
touch "$folder/demo/demo/__init__.py"
cat >"$folder/demo/pyproject.toml" <<'TOML'
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "demo"
version = "1"
dependencies = ["attrs>=23.1"]

[project.optional-dependencies]
frames = ["iniconfig>=2.0"]

[dependency-groups]
test = ["demo[frames]"]
TOML
cd "$folder/demo"
uv() { "$folder/venv/bin/uv" pip install --dry-run --resolution lowest-direct --python "$folder/venv/bin/python" "$@" 2>&1; }
in_group=$(uv --editable . --group test)
beside=$(uv --editable ".[frames]" --group test)
printf '%s\n' "$in_group" | grep -E "attrs|iniconfig" | sed 's/^/the extra in a group:        /'
printf '%s\n' "$beside" | grep -E "attrs|iniconfig" | sed 's/^/the extra beside the path:   /'
grep -q "attrs==23.1.0" <<<"$in_group" && ! grep -q "iniconfig==2.0.0" <<<"$in_group" && grep -q "iniconfig==2.0.0" <<<"$beside"
