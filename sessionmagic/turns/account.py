"""What the model requests of a session and of this kernel have cost, and the budgets that refuse further ones."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sessionmagic.conversation.usage import Usage, dollars, total
from sessionmagic.exceptions import TurnLimitError
from sessionmagic.words import counted, typed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from sessionmagic.conversation.session import Session


class Account:
    """The usage of all requests that one budget is for, and that budget.

    A request's cost is known when it has ended, so the last request may exceed the budget. While there is a budget, its
    requests are made one after the other. Otherwise several could be made for the same last cent.

    Args:
        owner: Whose requests these are, in words.
        advice: How the budget is raised, in words.
        budget: The dollars that may be spent; None for no budget.
        tokens: The tokens that may be used; None for no such limit.
        used: The usage so far.
    """

    def __init__(
        self,
        owner: str,
        advice: str,
        *,
        budget: float | None = None,
        tokens: int | None = None,
        used: Usage | None = None,
    ) -> None:
        self.owner = owner
        self.advice = advice
        self.budget = budget
        self.tokens = tokens
        self.used = used or Usage()
        self.without_price: set[str] = set()
        """The references of the models that have given an answer without a known price."""
        self._lock = threading.Lock()
        self._last: Future[None] = Future()
        """Done when the request that was made last under the budget has ended."""
        self._last.set_result(None)

    def add(self, usage: Usage, reference: str) -> None:
        """Add the usage of a request that a model has answered, or may have."""
        with self._lock:
            self.used = total([self.used, usage])
            if usage.unpriced_requests:
                self.without_price.add(reference)

    def lower(self, budget: float | None) -> None:
        """Make this the budget if there is none, or a higher one."""
        if budget is not None and (self.budget is None or budget < self.budget):
            self.budget = budget

    @asynccontextmanager
    async def request(self) -> AsyncGenerator[None]:
        """Make one request within the block; raises `TurnLimitError` when the budget is spent."""
        if self.limit is None:
            yield
            return
        ended: Future[None] = Future()
        with self._lock:
            before, self._last = self._last, ended
        try:
            # The requests may be made on several event loops, so they wait for each other with a thread-safe future.
            await asyncio.shield(asyncio.wrap_future(before))
        except BaseException:
            before.add_done_callback(lambda _: ended.set_result(None))
            raise
        try:
            self.check()
            yield
        finally:
            ended.set_result(None)

    @property
    def limit(self) -> float | None:
        """The budget in dollars, or else in tokens; None if there is none."""
        return self.tokens if self.budget is None else self.budget

    def check(self) -> None:
        """Raise `TurnLimitError` when the budget is spent."""
        used = self.used.input_tokens + self.used.output_tokens
        if self.tokens is not None and used >= self.tokens:
            raise TurnLimitError(f"{self.owner} has used {used:,} of its {self.tokens:,} tokens; {self.advice}")
        if self.budget is not None and not (self.used.cost or 0.0) < self.budget:
            raise TurnLimitError(f"{self.state()}; {self.advice}")

    @property
    def left(self) -> float | None:
        """The dollars that may still be spent; None without a budget. Raises `TurnLimitError` when none are left."""
        self.check()
        return None if self.budget is None else self.budget - (self.used.cost or 0.0)

    def unknown(self) -> str:
        """Return how many requests are not part of the cost, in words; empty if there are none."""
        count = self.used.unmeasured_requests + self.used.unpriced_requests
        return f"{counted(count, 'request')} of unknown cost" if count else ""

    def warning(self) -> str:
        """Return a warning if there is a budget, and more may have been spent than is known; else an empty text."""
        if self.budget is None or not (unknown := self.unknown()):
            return ""
        return f"{self.owner} has made {unknown}, not counted in its budget of {dollars(self.budget)}"

    def state(self) -> str:
        """Return what is spent of the budget, in words; empty if there is no budget."""
        if self.budget is None:
            return ""
        unknown = self.unknown()
        spent = f"{'at least ' if unknown else ''}{dollars(self.used.cost or 0.0)}"
        not_counted = f" ({unknown} not counted)" if unknown else ""
        return f"{self.owner} has spent {spent} of its budget of {dollars(self.budget)}{not_counted}"


KERNEL = Account("this kernel", "%config AgentMagics.budget = AMOUNT raises it, and None removes it")
"""The account of all requests that this process has made. ``AgentMagics.budget`` is its budget."""


def account_of(session: Session) -> Account:
    """Return an account of all requests of a stored session, those of removed turns too, with the session's budget."""
    return Account(
        f"session {session.name!r}",
        f"%agent set --budget AMOUNT -s {typed(session.name)} raises it, and --budget none removes it",
        budget=session.budget,
        used=total([session.removed_usage, session.usage]),
    )
