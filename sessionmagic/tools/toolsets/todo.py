"""The tools of the type ``todo``: the list of what is to be done, which stays with the session.

The docstrings and the parameters are what a model is told. The names are docker-agent's.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Literal

from typing_extensions import TypedDict  # before Python 3.12, pydantic takes no other

from sessionmagic.exceptions import ToolError
from sessionmagic.keys.cleaning import without_keys
from sessionmagic.loop import in_thread
from sessionmagic.tools.toolsets.folder import Folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Status = Literal["pending", "in-progress", "completed"]
FILE = "todos.json"
LIMIT = 2_000_000
"""Bytes of the file."""
MOST = 200
"""Items of a list."""
LONGEST = 1_000
"""Characters of an item."""
_changing = threading.Lock()


class Todo(TypedDict):
    """An item of the list."""

    id: str
    description: str
    status: Status


class TodoUpdate(TypedDict):
    """The new status of an item."""

    id: str
    status: Status


class Todos:
    """The tools.

    Args:
        own: Returns the directory in which the list is kept; None keeps it for as long as this object lives.
        owner: Whose list it is; empty for the one that all agents of the session share.
    """

    def __init__(self, own: Callable[[], Path | None], owner: str) -> None:
        self._own = own
        self._owner = owner
        self._unkept: dict[str, list[Todo]] = {}

    async def create_todo(self, description: str) -> str:
        """Add an item to the list of what is to be done."""
        return await self.create_todos([description])

    async def create_todos(self, descriptions: list[str]) -> str:
        """Add several items to the list of what is to be done."""

        def add(todos: list[Todo]) -> None:
            if len(todos) + len(descriptions) > MOST:
                raise ToolError(f"the list would have more than {MOST} items; it was not changed")
            number = max((int(todo["id"].rpartition("_")[2]) for todo in todos), default=0)
            for at, text in enumerate(descriptions, number + 1):
                if not text.strip() or len(text) > LONGEST:
                    raise ToolError(f"an item needs a description of at most {LONGEST:,} characters")
                todos.append(Todo(id=f"todo_{at}", description=without_keys(text), status="pending"))

        return await in_thread(self._changed, add)

    async def update_todos(self, updates: list[TodoUpdate]) -> str:
        """Set the status of items."""

        def update(todos: list[Todo]) -> None:
            known = {todo["id"]: todo for todo in todos}
            if unknown := [each["id"] for each in updates if each["id"] not in known]:
                raise ToolError(f"the list has no {', '.join(map(repr, unknown))}; it was not changed")
            for each in updates:
                known[each["id"]]["status"] = each["status"]

        return await in_thread(self._changed, update)

    async def list_todos(self) -> str:
        """Show the list of what is to be done."""
        return await in_thread(self._changed, None)

    def _changed(self, change: Callable[[list[Todo]], None] | None) -> str:
        """Change the list, and return it as text."""
        with _changing:
            directory = self._own()
            lists = self._unkept if directory is None else _read(directory)
            todos = [Todo(**todo) for todo in lists.get(self._owner, [])]
            if change is not None:
                change(todos)
                lists[self._owner] = todos
                if directory is not None:
                    directory.mkdir(parents=True, exist_ok=True)
                    with Folder(directory).holder(FILE) as (opened, name):
                        opened.write(name, json.dumps(lists).encode())
            return _shown(todos)


def _read(directory: Path) -> dict[str, list[Todo]]:
    folder = Folder(directory)
    if not directory.is_dir() or not folder.exists(FILE):
        return {}
    try:
        lists = json.loads(folder.read(FILE, LIMIT))
        return {owner: [Todo(**_item(todo)) for todo in todos] for owner, todos in lists.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ToolError(f"{directory / FILE} cannot be read; remove it, and the list begins anew") from error


def _item(todo: object) -> Todo:
    match todo:
        case {"id": str(name), "description": str(text), "status": "pending" | "in-progress" | "completed" as status}:
            int(name.rpartition("_")[2])
            return Todo(id=name, description=text, status=status)
    raise ValueError("not an item")


def _shown(todos: Sequence[Todo]) -> str:
    return (
        "\n".join(f"{todo['id']} [{todo['status']}] {todo['description']}" for todo in todos) or "(the list is empty)"
    )
