"""Run a notebook in a kernel without a front end, and print the output of its cells as it arrives.

    python example_notebooks/run.py example_notebooks/quickstart.ipynb

The notebook is saved with its outputs in `build/`. The exit code is 1 when a cell fails.
"""

import argparse
import asyncio
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

LINES_SHOWN = 8


class Printing(NotebookClient):
    """Runs the cells and prints their output as it arrives: printed text, values and the model's answers."""

    def process_message(self, msg, cell, cell_index):
        content = msg["content"]
        match msg["msg_type"]:
            case "stream":
                write(content["text"])
            case "display_data" if turn := content["metadata"].get("sessionmagic"):
                if turn["part"] == "footer":  # the answer itself was printed as it arrived
                    write("\n" + footer(turn))
            case "display_data" | "execute_result":
                write(content["data"].get("text/plain", "") + "\n")
        return super().process_message(msg, cell, cell_index)


def footer(turn):
    """Return a line with the session, the turn, the model that answered, its tokens, and any status but completed."""
    tokens = f"{turn['input_tokens']:,} → {turn['output_tokens']:,} tokens"
    line = f"— {turn['session']} · turn {turn['turn']} · {turn['model']} · {tokens}"
    return line + ("\n" if turn["status"] == "completed" else f" · {turn['status']}\n")


def write(text):
    sys.stdout.write(text)
    sys.stdout.flush()


def announce(cell, **_):
    """Print a cell before it runs: all of a Markdown cell, or the first lines of a code cell."""
    if cell.cell_type == "markdown":
        write(f"\n{cell.source}\n")
        return
    lines = cell.source.splitlines()
    cut = ["…"] if len(lines) > LINES_SHOWN else []
    write("\n" + "".join(f"  │ {line}\n" for line in [*lines[:LINES_SHOWN], *cut]))


def run(path, out):
    """Run the notebook, save it in the directory `out`, and return an error message, or None."""
    notebook = nbformat.read(path, as_version=4)
    client = Printing(
        notebook,
        timeout=600,
        resources={"metadata": {"path": str(path.parent)}},
        # Without a front end, the default view would show an answer only when it is complete.
        extra_arguments=["--AgentMagics.view=text", "--log-level=ERROR"],
        on_cell_start=announce,
    )
    problem = None
    try:
        client.execute()
    except CellExecutionError as error:
        problem = f"{error.ename}: {error.evalue}"
    except (DeadKernelError, TimeoutError) as error:
        problem = f"{type(error).__name__}: {error}"
    out.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, out / path.name)
    return problem


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--out", type=Path, default=Path("build"), help="where the executed notebook is saved")
    options = parser.parse_args()
    if not options.notebook.is_file():
        sys.exit(f"there is no notebook {options.notebook}")
    if sys.platform == "win32":
        asyncio.set_event_loop_policy(asyncio.WindowsSelectorEventLoopPolicy())
    problem = run(options.notebook, options.out)
    print(f"\nThe notebook with these outputs is {options.out / options.notebook.name}.")
    if problem:
        sys.exit(f"A cell failed: {problem}")
    print("To open the notebook in JupyterLab and run it yourself: make lab")


if __name__ == "__main__":
    main()
