"""Record the answers of a notebook from the scripted models beside it.

    python example_notebooks/record.py example_notebooks/lesson.ipynb

The models are those of `lesson_models.py`, the session has the name of the notebook, and its recording is
`lesson.jsonl`. Record again when a prompt, a tool or a text has changed.
"""

import argparse
import os
import runpy
import sys
import tempfile
from pathlib import Path

import nbformat
from jupyter_client.manager import start_new_kernel

REPLAYS = "%config AgentMagics.replay"
SECONDS = 120


def record(path):
    """Run the cells of a notebook with its scripted models, and write the recording of its session."""
    models = path.with_name(f"{path.stem}_models.py")
    decisions = iter(runpy.run_path(str(models))["DECISIONS"])
    with tempfile.TemporaryDirectory() as home:
        env = {**os.environ, "SESSIONMAGIC_HOME": f"{home}/store", "IPYTHONDIR": f"{home}/ipython"}
        manager, client = start_new_kernel(env=env, cwd=str(path.parent))
        try:
            for code in [
                f"%run {models.name}",
                *asked_cells(path),
                f"%agent record {path.stem} {path.stem}.jsonl --force",
            ]:
                run(client, code, lambda _request: client.input(next(decisions)))
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)


def asked_cells(path):
    """Return the code of the cells, without the lines that set what is replayed."""
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    return ["\n".join(line for line in code.splitlines() if not line.startswith(REPLAYS)) for code in cells]


def run(client, code, answer):
    """Run a cell that may ask for input, and print what it prints. Exits if it fails."""

    def show(message):
        content = message["content"]
        sys.stdout.write(content.get("text") or content.get("data", {}).get("text/plain", ""))

    reply = client.execute_interactive(code, allow_stdin=True, stdin_hook=answer, output_hook=show, timeout=SECONDS)
    if reply["content"]["status"] != "ok":
        sys.exit(f"A cell failed: {reply['content']['evalue']}\n{code}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook", type=Path)
    record(parser.parse_args().notebook.resolve())
