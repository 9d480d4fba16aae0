"""Any history of prompts, stops, failures, changes, deletions and crashes keeps the promises about turns."""

import asyncio
import tempfile
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sessionmagic import Cell, MemoryStore, Models, SessionManager, TinyStore, register_model
from sessionmagic.conversation.branches import tree_rows
from sessionmagic.conversation.events import TurnFinished, TurnStarted
from sessionmagic.conversation.tree import ROOT, is_kept, running_turns, with_interrupted_turns
from sessionmagic.exceptions import (
    ModelReferenceError,
    SessionBusyError,
    SessionNotFoundError,
    StoreError,
    UsageError,
)
from sessionmagic.testing import ScriptedModel
from sessionmagic.turns.request import Request
from tests.examples import examples

NAMES = st.sampled_from(["a", "b"])
SECONDS = 60.0


class Mortal:
    """A store, and the process that uses it: when that dies it writes no more, and its claims are free."""

    def __init__(self, store):
        self.store = store
        self.dead = False
        self.claims = []

    def __getattr__(self, name):
        return getattr(self.store, name)

    def update(self, *args):
        return self._living(self.store.update, *args)

    def create(self, *args):
        return self._living(self.store.create, *args)

    def _living(self, write, *args):
        if self.dead:
            raise StoreError("its process is dead")
        return write(*args)

    def claim(self, *args):
        claim = MortalClaim(self, self.store.claim(*args))
        self.claims.append(claim)
        return claim

    def die(self):
        for claim in list(self.claims):
            claim.release()
        self.dead = True


class MortalClaim:
    def __init__(self, process, claim):
        self.process = process
        self.claim = claim
        self.session_id = claim.session_id

    def release(self):
        if not self.process.dead:
            self.process.claims.remove(self)
            self.claim.release()


class Conductor:
    """A model that says and does what it is told, and remembers what it was sent."""

    def __init__(self):
        self.model = ScriptedModel(self._answer)
        self.sent = {}
        self.orders = {}
        self._asked = {}

    async def _answer(self, messages):
        parts = [
            (part.part_kind, content)
            for message in messages
            for part in message.parts  # prompts without an answer between them are sent as one message
            for content in (part.content.split("\n\n") if part.part_kind == "user-prompt" else [part.content])
        ]
        prompt = parts[-1][1]
        self.sent[prompt] = parts
        self.asked(prompt).set()
        orders = self.orders.setdefault(prompt, asyncio.Queue())
        while (order := await orders.get()) != "end":
            if order == "fail":
                raise RuntimeError("it broke")
            yield order

    def asked(self, prompt):
        return self._asked.setdefault(prompt, asyncio.Event())

    def order(self, prompt, order):
        self.orders[prompt].put_nowait(order)


@dataclass(eq=False)
class Expected:
    """A turn as it should be."""

    prompt: str
    model: str
    parent: "Expected | None" = None
    cell: str | None = None
    head_before: "Expected | None" = None
    turn: object = None
    said: str = ""
    status: str = "running"

    def history(self):
        return [("user-prompt", self.prompt), *([("text", self.said)] if self.said else [])]

    def path(self):
        return [*(self.parent.path() if self.parent else []), self]

    def can_be_continued(self):
        return self.status != "running" and (self.status != "failed" or bool(self.said))


@dataclass
class Conversation:
    """A session as it should be."""

    turns: list = field(default_factory=list)
    head: Expected | None = None
    override: str | None = None
    starred: bool = False
    running: list = field(default_factory=list)
    group: object = None

    def path(self):
        return self.head.path() if self.head else []

    def parent_of_rerun(self, cell):
        """The parent of the first turn on the path that the cell has started, else the head."""
        return next((turn.parent for turn in self.path() if cell and turn.cell == cell), self.head)


class ManagerMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        self.loop = asyncio.new_event_loop()
        self.conductor = Conductor()
        for name in ("default model", "one", "two"):
            register_model(name, self.conductor.model)
        self.start_process(self.make_store())
        self.sessions = {}
        self.ended = []
        self.asked = 0
        for name in ("a", "b"):
            self.ask(name, "", once=False)
            self.end(self.sessions[name], self.sessions[name].head, "end")

    def make_store(self):
        return MemoryStore()

    def start_process(self, store):
        self.process = Mortal(store)
        self.manager = SessionManager(self.process, Models("default model"))

    def do(self, work):
        return self.loop.run_until_complete(asyncio.wait_for(work, SECONDS))

    def running(self):
        return [(session, turn) for _, session in sorted(self.sessions.items()) for turn in session.running]

    @rule(
        name=NAMES,
        model=st.sampled_from(["", "", "one", "two", "default", "bad:x", "no model"]),
        once=st.booleans(),
        cell=st.sampled_from([None, "x", "y"]),
    )
    def ask_something(self, name, model, once, cell):
        self.ask(name, model, once=once and bool(model), cell=cell)

    def ask(self, name, model, *, once, cell=None):
        options = {"session": name, "model": model, "once": once, "cell": Cell(id=cell) if cell else None}
        before = self.sessions.get(name)
        if before and (before.running or before.group):
            with pytest.raises(SessionBusyError):
                self.do(self.manager.run("refused", **options))
            return
        self.start(self.sessions.setdefault(name, Conversation()), options)

    def start(self, session, options, *, after=None, moves_head=True, group=None):
        self.asked += 1
        prompt, model, once = f"prompt {self.asked}", options["model"], options["once"]
        cell = options["cell"].id if options.get("cell") else None
        parent = None if after is ROOT else after or session.parent_of_rerun(cell)
        request = Request(
            prompt=prompt, after=after if after in (None, ROOT) else after.turn.id, moves_head=moves_head, **options
        )
        refused = UsageError if parent and not parent.can_be_continued() else None
        if refused or model in {"bad:x", "no model"}:
            with pytest.raises(refused or ModelReferenceError):
                self.do(self.manager.start(request, group))
            if not session.turns:
                del self.sessions[options["session"]]
            return
        answering = {"": session.override or "default model", "default": "default model"}.get(model, model)
        expected = Expected(prompt, answering, parent, cell, session.head)
        history = [part for turn in (parent.path() if parent else []) for part in turn.history()]
        expected.turn = self.do(self.manager.start(request, group))
        self.do(self.conductor.asked(prompt).wait())
        assert self.conductor.sent[prompt] == [*history, ("user-prompt", prompt)]
        session.turns.append(expected)
        session.running.append(expected)
        if moves_head:
            session.head = expected
        if model and not once:
            session.override = None if model == "default" else model

    @precondition(lambda self: any(not (each.running or each.group) for each in self.sessions.values()))
    @rule(data=st.data())
    def open_a_group(self, data):
        free = sorted(name for name, each in self.sessions.items() if not (each.running or each.group))
        name = data.draw(st.sampled_from(free))
        opening = self.manager.group(name)
        self.sessions[name].group = (opening, self.do(opening.__aenter__()))

    @precondition(lambda self: any(each.running or each.group for each in self.sessions.values()))
    @rule(data=st.data())
    def open_another_group(self, data):
        held = sorted(name for name, each in self.sessions.items() if each.running or each.group)
        with pytest.raises(SessionBusyError):
            self.do(self.manager.group(data.draw(st.sampled_from(held))).__aenter__())

    @precondition(lambda self: any(each.group for each in self.sessions.values()))
    @rule(data=st.data(), moves_head=st.booleans(), anywhere=st.booleans(), model=st.sampled_from(["", "one", "bad:x"]))
    def ask_in_a_group(self, data, moves_head, anywhere, model):
        session = data.draw(st.sampled_from([each for _, each in sorted(self.sessions.items()) if each.group]))
        after = data.draw(st.sampled_from([ROOT, *session.turns])) if anywhere else None
        _, group = session.group
        options = {"session": group.session_id, "model": model, "once": bool(model)}
        self.start(session, options, after=after, moves_head=moves_head, group=group)

    @precondition(lambda self: any(each.group for each in self.sessions.values()))
    @rule(data=st.data())
    def leave_a_group(self, data):
        self.leave(data.draw(st.sampled_from([each for _, each in sorted(self.sessions.items()) if each.group])))

    def leave(self, session):
        if session.group:
            (opening, group), session.group = session.group, None
            self.do(opening.__aexit__(None, None, None))
            if not session.running:
                with pytest.raises(UsageError):
                    self.do(self.manager.start(Request(prompt="late", session=group.session_id), group))

    def pick(self, data):
        return data.draw(st.sampled_from(self.running()))

    @precondition(lambda self: self.running())
    @rule(data=st.data(), text=st.sampled_from(["word ", "{x}\n", "🦊"]))
    def say(self, data, text):
        _, turn = self.pick(data)
        turn.said += text
        self.conductor.order(turn.prompt, text)
        self.do(self.heard(turn))

    async def heard(self, expected):
        seen = 0
        while expected.turn.transcript.text != expected.said:
            seen = await expected.turn.news(seen, SECONDS)

    @precondition(lambda self: self.running())
    @rule(data=st.data(), order=st.sampled_from(["end", "end", "fail", "cancel"]))
    def end_a_turn(self, data, order):
        self.end(*self.pick(data), order)

    def end(self, session, turn, order):
        if order == "end" and not turn.said:
            turn.said = "at last"
            self.conductor.order(turn.prompt, turn.said)
        if order == "cancel":
            turn.turn.cancel()
        else:
            self.conductor.order(turn.prompt, order)
        self.over(session, turn, {"end": "completed", "fail": "failed", "cancel": "interrupted"}[order])

    def over(self, session, turn, status):
        session.running.remove(turn)
        turn.status = status
        while session.head and session.head.status == "failed" and not session.head.said:
            session.head = session.head.head_before
        result = self.do(turn.turn.result())
        assert (result.status, result.text) == (status, turn.said)
        self.ended.append(turn.turn)

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), model=st.sampled_from(["one", "two", "default"]))
    def set_model(self, data, model):
        name = data.draw(st.sampled_from(sorted(self.sessions)))
        self.manager.sessions.set_model(name, model)
        self.sessions[name].override = None if model == "default" else model

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), starred=st.booleans())
    def star(self, data, starred):
        name = data.draw(st.sampled_from(sorted(self.sessions)))
        self.manager.sessions.star(name, starred=starred)
        self.sessions[name].starred = starred

    @precondition(lambda self: "c" not in self.sessions and self.sessions)
    @rule(data=st.data())
    def rename(self, data):
        name = data.draw(st.sampled_from(sorted(self.sessions)))
        self.manager.sessions.rename(name, "c")
        self.sessions["c"] = self.sessions.pop(name)

    @rule(name=NAMES)
    def delete(self, name):
        if name not in self.sessions:
            with pytest.raises(SessionNotFoundError):
                self.do(self.manager.delete(name))
            return
        session = self.sessions.pop(name)
        self.leave(session)
        self.do(self.manager.delete(name))
        for turn in list(session.running):
            assert turn.turn.finished
            self.over(session, turn, "interrupted")

    def idle(self):
        return sorted(name for name, each in self.sessions.items() if not (each.running or each.group))

    @precondition(lambda self: self.idle())
    @rule(data=st.data())
    def rewind(self, data):
        name = data.draw(st.sampled_from(self.idle()))
        session = self.sessions[name]
        turn = data.draw(st.sampled_from([ROOT, *filter(Expected.can_be_continued, session.turns)]))
        self.manager.branches.move_head(name, turn if turn == ROOT else turn.turn.id)
        session.head = None if turn == ROOT else turn

    @precondition(lambda self: self.idle())
    @rule(data=st.data())
    def drop(self, data):
        name = data.draw(st.sampled_from(self.idle()))
        session = self.sessions[name]
        if not session.head:
            with pytest.raises(UsageError):
                self.manager.branches.drop(name)
            return
        self.manager.branches.drop(name)
        session.head = session.head.parent

    @precondition(lambda self: "fork" not in self.sessions and self.sessions)
    @rule(data=st.data())
    def fork(self, data):
        name = data.draw(st.sampled_from(sorted(self.sessions)))
        session = self.sessions[name]
        if session.head and not session.head.can_be_continued():
            with pytest.raises(UsageError):
                self.manager.branches.fork(name, "fork")
            return
        self.manager.branches.fork(name, "fork")
        kept = [turn for turn in session.turns if turn.status != "running"]
        self.sessions["fork"] = Conversation(kept, session.head, session.override)

    @rule()
    def crash(self):
        self.process.die()
        self.manager.shutdown(0)
        for session in self.sessions.values():
            self.leave(session)
            for turn in session.running:
                self.do(turn.turn.result())
                self.ended.append(turn.turn)
                turn.said, turn.status = "", "interrupted"
            session.running = []
        self.start_process(self.process.store)

    @invariant()
    def every_promise_holds(self):
        active = sorted(each.turn.id + each.turn.session_id for _, each in self.running())
        assert sorted(turn.id + turn.session_id for turn in self.manager.turns.running()) == active
        summaries, problems = self.manager.sessions.summaries()
        assert ({summary.name for summary in summaries}, problems) == (set(self.sessions), [])
        for summary in summaries:
            self.check(self.sessions[summary.name], summary, self.manager.sessions.load(summary.name))

    def check(self, expected, summary, session):
        assert session.agent_model_overrides == ({"assistant": expected.override} if expected.override else {})
        assert session.starred == expected.starred
        assert [turn.prompt for turn in session.path()] == [turn.prompt for turn in expected.path()]
        assert [turn.id for turn in session.turns] == [turn.turn.id for turn in expected.turns]
        assert {row.turn for row in tree_rows(session)} == {turn.turn.id for turn in expected.turns}
        if session.head:
            assert is_kept(session.turn(session.head))
        if expected.group and not expected.running:
            # whoever holds the claim may say that a turn of a dead process runs, until the next turn begins
            session = with_interrupted_turns(session, running_turns(session))
        elif expected.head:
            assert summary.status == ("running" if expected.running else expected.head.status)
        assert [(turn.prompt, turn.model, turn.parent, turn.status) for turn in session.turns] == [
            (turn.prompt, turn.model, turn.parent.turn.id if turn.parent else None, turn.status)
            for turn in expected.turns
        ]

    def teardown(self):
        self.manager.shutdown(0)
        for _, turn in self.running():
            self.ended.append(turn.turn)
        for turn in self.ended:
            events = self.do(self.events_of(turn))
            assert [type(event) for event in events].count(TurnFinished) == 1
            assert isinstance(events[0], TurnStarted)
            assert isinstance(events[-1], TurnFinished)
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()

    @staticmethod
    async def events_of(turn):
        return [event async for event in turn.events()]


class TinyManagerMachine(ManagerMachine):
    def make_store(self):
        self.directory = tempfile.TemporaryDirectory()
        return TinyStore(self.directory.name)

    def teardown(self):
        super().teardown()
        self.directory.cleanup()


def settings_for(count):
    return settings(max_examples=examples(count), stateful_step_count=30, suppress_health_check=[HealthCheck.too_slow])


TestManagerInMemory = ManagerMachine.TestCase
TestManagerInMemory.settings = settings_for(30)
TestManagerOnDisk = TinyManagerMachine.TestCase
TestManagerOnDisk.settings = settings_for(12)
