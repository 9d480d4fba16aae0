"""Which front end runs the cell, and what it can do: one table, from facts about the request.

No front end says what it can show. What is known of each comes from requests that were seen (`docs/front-ends.md`).
Where nothing certain is known, the way is taken that cannot hang or lose: text, and questions on stdin.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from sessionmagic.notebook.output import Changes

CLIENT_ID = re.compile(r"_(?P<process>[0-9]+)_[0-9]+$")
"""How an id ends that jupyter_client gives to a request: with the number of its process, and a counter."""
CLASSIC_ID = re.compile(r"[0-9A-Fa-f]{32}")
"""The ids of the classic notebook (nbclassic), whose requests have no metadata."""
PAGE_METADATA = frozenset({"cellId", "deletedCells", "recordTiming"})
"""What JupyterLab, Notebook 7 and VS Code tell of a cell with its request."""
COLLABORATION = "jupyter_server_ydoc"
"""The package of jupyter-collaboration that is a part of the Jupyter server."""
HOSTED = ("COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE", "DATABRICKS_RUNTIME_VERSION")
"""Variables of the environment that name a hosted notebook page."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about the front end of a running cell.

    Attributes:
        shell: What runs the cell: IPython in a terminal, an ipykernel, JupyterLite's Pyodide kernel, or another program
            with an IPython shell.
        takes_input: Whether the front end says that it answers ``input()``.
        message_id: The id of the request.
        metadata: The names of what the front end tells with the request.
        started_by: The number of the process that has started the kernel; empty if it is not known.
        in_server: Whether the kernel belongs to a notebook that is open in a Jupyter server.
        collaborates: Whether the Jupyter server can show a notebook to several users at once.
        hosted: Whether the kernel belongs to a hosted notebook page.
        refuses_widgets: Whether the page has refused a widget.
        wants_buttons: Whether the user has said that approvals are asked with buttons, and clicks on them arrive.
    """

    shell: Literal["terminal", "kernel", "lite", "other"]
    takes_input: bool = False
    message_id: str = ""
    metadata: AbstractSet[str] = frozenset()
    started_by: str = ""
    in_server: bool = False
    collaborates: bool = False
    hosted: bool = False
    refuses_widgets: bool = False
    wants_buttons: bool = False


@dataclass(frozen=True, slots=True)
class Recognized:
    """A kind of front end.

    Attributes:
        name: What it is, in words.
        known_by: By what it was recognized.
        view: How it shows a turn.
        asks: Where a user answers a turn's questions.
        changes: How it changes an output that it has shown.
        live: Whether output is shown while the cell runs.
        late: Whether output is shown that comes after the cell has ended.
        remedy: What the user can do to be asked where nobody is.
        adds_cells: Whether it adds a cell that the kernel proposes, below the one that has run.
    """

    name: str
    known_by: str
    view: Literal["widgets", "display", "text", "static"]
    asks: Literal["page", "stdin", "nobody"]
    changes: Changes = "in place"
    live: bool = True
    late: bool = True
    remedy: str = ""
    adds_cells: bool = True


TERMINAL = Recognized("a terminal", "IPython's terminal shell runs the cell", "text", "stdin", "never")
LITE = Recognized(
    "JupyterLite",
    "its Pyodide kernel runs the cell",
    "display",  # a site may have no widgets
    "nobody",
    late=False,  # it would be shown under the cell that runs then
    adds_cells=False,
)
SHELL = Recognized(
    "another program with an IPython shell, such as xeus-python or ploomber-engine",
    "it has neither an ipykernel nor a terminal",
    "static",
    "nobody",
    "never",
    live=False,
    late=False,
    adds_cells=False,
)
RUNNER = Recognized(
    "a runner, such as nbclient or papermill",
    "it takes no input",
    "static",
    "nobody",
    live=False,
    late=False,
    adds_cells=False,
)
SERVER = Recognized(
    "a Jupyter server that runs the cells of a page",
    "the request comes from the process that started the kernel of an open notebook",
    "text",
    "stdin",
    "by clearing",
    live=False,
    late=False,
    adds_cells=False,
)
UNWATCHED_SERVER = Recognized(
    "a Jupyter server that runs the cells of a page and takes no input",
    "the request comes from the process that started the kernel of an open notebook, and it takes no input",
    "static",
    "nobody",
    "by clearing",
    live=False,
    late=False,
    adds_cells=False,
    remedy='%config AgentMagics.approval = "buttons" asks on the page, if the notebook is trusted and ipykernel is 7 '
    "or newer",
)
WATCHED_SERVER = Recognized(
    "a page whose cells the Jupyter server runs",
    "the request comes from the process that started the kernel of an open notebook, and approval is set to buttons",
    "widgets",
    "page",
    "by clearing",
    late=False,
    adds_cells=False,
)
CONSOLE = Recognized(
    "a console, such as jupyter console or qtconsole",
    "the request comes from a Python program that takes input",
    "text",
    "stdin",
    "never",
)
PAGE = Recognized("a notebook page", "the request tells of its cell as pages do", "widgets", "page")
SHARED_PAGE = Recognized(
    "a notebook page that others may have open too",
    "the request tells of its cell as pages do, and jupyter-collaboration is installed",
    "widgets",
    "page",
    "the last in place",
)
PLAIN_PAGE = Recognized(
    "a notebook page without widgets",
    "the request tells of its cell as pages do, and the page has refused a widget",
    "display",
    "stdin",
)
UNKNOWN = Recognized(
    "a front end that is not known",
    "the request is like none that was seen",
    "text",
    "stdin",
    "by clearing",
    adds_cells=False,
)


def recognized(evidence: Evidence) -> Recognized:
    """Return what kind of front end runs the cell."""
    if evidence.shell != "kernel":
        return {"terminal": TERMINAL, "lite": LITE, "other": SHELL}[evidence.shell]
    client = CLIENT_ID.search(evidence.message_id)
    by_server = evidence.in_server and client is not None and client["process"] == evidence.started_by
    # A server that takes input shows nothing while a cell runs, except in a notebook that several users can open.
    if by_server and evidence.wants_buttons and (evidence.collaborates or not evidence.takes_input):
        return WATCHED_SERVER
    if not evidence.takes_input:
        return UNWATCHED_SERVER if by_server else RUNNER
    if client is not None:
        return SERVER if by_server else CONSOLE
    known = evidence.hosted or PAGE_METADATA & evidence.metadata or CLASSIC_ID.fullmatch(evidence.message_id)
    if not known:
        return UNKNOWN
    if evidence.refuses_widgets:
        return PLAIN_PAGE
    return SHARED_PAGE if evidence.in_server and evidence.collaborates else PAGE
