"""Any sequence of prompts, re-runs, reused answers, summaries and changes of the tree leaves a session that goes on."""

import asyncio
import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from pydantic_ai.exceptions import ModelHTTPError

from sessionmagic import ROOT, Cell, MemoryStore, export_session, import_session
from sessionmagic.conversation.branches import tree_rows
from sessionmagic.conversation.tree import is_kept
from sessionmagic.exceptions import UsageError
from sessionmagic.sessions.context import context_of
from sessionmagic.testing import script
from sessionmagic.turns.account import account_of
from tests.examples import examples
from tests.stored import comparable
from tests.turns import ask, manager_on

PRICE = [20_000.0, 0.0]
TOO_LONG = ModelHTTPError(400, "m", {"message": "maximum context length is 9"})
MOST_MESSAGES = 3


class TreeMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        self.loop = asyncio.new_event_loop()
        self.manager = manager_on(MemoryStore())
        self.manager.models.prices["model"] = PRICE
        self.answer = "Fine."
        script("model", self.said)
        self.spent = 0.0
        self.ask("a", reuse=False, anew=False, answer="Fine.")

    def said(self, messages):
        is_summary = "Summarize the conversation" in str(messages[-1])
        return TOO_LONG if len(messages) > MOST_MESSAGES and not is_summary else self.answer

    def do(self, work):
        return self.loop.run_until_complete(asyncio.wait_for(work, 60))

    @property
    def session(self):
        return self.manager.sessions.load("chat")

    answers = st.sampled_from(["Fine."] * 4 + ["", RuntimeError("it broke")])

    @rule(
        prompt=st.sampled_from("abcd"), reuse=st.booleans(), anew=st.sampled_from([False] * 4 + [True]), answer=answers
    )
    def ask(self, prompt, reuse, anew, answer):
        self.answer = answer
        before = len(self.session.turns) if self.manager.store.find("chat") else 0
        options = {"model": "model", "reuse": reuse, "after": ROOT if anew else None, "cell": Cell(id=prompt)}
        result = self.do(ask(self.manager, prompt, **options))
        if result.reused:
            assert (self.session.head, len(self.session.turns)) == (result.turn, before)

    @rule(reuse=st.booleans(), answer=answers)
    def compact(self, reuse, answer):
        self.answer = answer
        with suppress(UsageError):  # there is nothing to summarize
            turn = self.do(self.manager.compact("chat", model="model", reuse=reuse))
            self.do(turn.result())

    @rule(data=st.data())
    def go_back(self, data):
        turn = data.draw(st.sampled_from([ROOT, *(turn.id for turn in self.session.turns)]))
        with suppress(UsageError):  # it has no answer
            self.manager.branches.move_head("chat", turn)

    @rule()
    def reset(self):
        self.manager.branches.reset("chat")

    @rule()
    def fork(self):
        copy = self.manager.branches.fork("chat", "copy")
        assert account_of(copy).used.cost is None
        assert [turn.id for turn in copy.path()] == [turn.id for turn in self.session.path()]
        self.do(self.manager.delete("copy"))

    @invariant()
    def nothing_is_lost(self):
        session = self.session
        path = session.path()
        assert {row.turn for row in tree_rows(session)} == {turn.id for turn in session.turns}
        assert all(is_kept(turn) for turn in path)
        for place, turn in enumerate(path):
            assert turn.kind == "ask" or turn.covers in {each.id for each in path[:place]}
        assert context_of(session, None, {})[-1].tokens >= bool(path)
        used = account_of(session).used.cost or 0.0
        assert used >= self.spent
        self.spent = used

    def teardown(self):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "chat.json"
            export_session(self.session, path)
            imported = import_session(self.manager.store, path)
        assert comparable(imported).turns == comparable(self.session).turns
        assert self.do(ask(self.manager, "on", session=imported.name, model="calm")).status == "completed"
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()


TestTree = TreeMachine.TestCase
TestTree.settings = settings(
    max_examples=examples(15), stateful_step_count=12, suppress_health_check=[HealthCheck.too_slow]
)
