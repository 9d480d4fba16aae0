"""The session of a cell: the one that it names, else the active one, else that of its notebook, else a new one."""

from __future__ import annotations

import itertools
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from sessionmagic.exceptions import SessionExistsError
from sessionmagic.loop import in_thread
from sessionmagic.turns.place import is_other_notebook

if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable, Iterator

    from sessionmagic.notebook.context import NotebookContext
    from sessionmagic.storage.store import Store
    from sessionmagic.turns.request import Request


class Work(Protocol):
    """What a cell begins on a session: a turn, or a comparison."""

    @property
    def session_id(self) -> str:
        """The session's id."""


T = TypeVar("T", bound=Work)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The cell that begins work on a session."""

    names_session: bool
    """Whether the cell names the session."""
    run: str = ""
    """Identifies this run of the cell."""
    fresh: bool = False
    """Whether the session starts anew, if this is the kernel's first turn on it."""


def place_of(context: NotebookContext, options: argparse.Namespace) -> Place:
    """Return the running cell."""
    return Place(
        names_session=bool(options.session),
        run=context.front_end.run,
        fresh=options.fresh or context.settings.fresh,
    )


async def begun(
    context: NotebookContext,
    request: Request,
    begin: Callable[[Request], Awaitable[T]],
    place: Place,
) -> T:
    """Begin what a cell requests: on the session that it names, else on the active one, else on the notebook's own.

    The session becomes the active one, unless the cell names one that exists.

    Args:
        context: The kernel's context.
        request: The request. Its session is used if the cell names it, or to name a new session.
        begin: Begins it on the session that the request then names.
        place: The cell.
    """
    from sessionmagic.conversation.tree import ROOT

    find, store = context.manager.store.find, context.manager.store
    await in_thread(context.forget_deleted)
    chosen = request.session if place.names_session else None if request.new else context.chosen()
    run, own = place.run, None if chosen or request.new else await in_thread(_own_session, store, request)
    if session := chosen or own:
        session_id = await in_thread(find, session)
        if session_id is not None and context.started.in_run(session_id, run):
            request = replace(request, rerun="append")  # a cell that starts several turns does not run again
        elif session_id is not None and place.fresh and request.kind != "go" and session_id not in context.started:
            request = replace(request, after=ROOT)
        work = await begin(replace(request, session=session))
    else:
        work = await _begun_fresh(request, begin)
    context.latest_session = work.session_id
    context.started.add(work.session_id, run)
    if request.new or not chosen:
        context.active_session = work.session_id
    return work


def _own_session(store: Store, request: Request) -> str | None:
    """Return the newest session that was named after the requesting notebook, and began in it, or None."""
    if not request.notebook:
        return None
    sessions = [store.load(session_id) for session_id in _named_after(request.session, store)]
    own = [each for each in sessions if each.notebook and not is_other_notebook(each.notebook, request.notebook)]
    return max(own, key=lambda each: each.created_at).id if own else None


def _named_after(name: str, store: Store) -> set[str]:
    """Return the ids of the sessions with a name, or with a number after it. Some may have been deleted in between."""
    numbered = re.compile(rf"{re.escape(name)}-[1-9][0-9]*")
    known = [each for each in store.names() if each == name or numbered.fullmatch(each)]
    counted = itertools.takewhile(lambda each: store.find(each) is not None, _numbered(name))
    return set(filter(None, map(store.find, {*known, *counted})))


def _numbered(name: str) -> Iterator[str]:
    """Yield the names of a notebook's sessions: its own, then with a number after it."""
    return (name if number == 1 else f"{name}-{number}" for number in itertools.count(1))


async def _begun_fresh(request: Request, begin: Callable[[Request], Awaitable[T]]) -> T:
    """Begin on a new session, with a number after its name if the name is taken."""
    for name in _numbered(request.session):
        with suppress(SessionExistsError):
            return await begin(replace(request, session=name, new=True))
    raise AssertionError
