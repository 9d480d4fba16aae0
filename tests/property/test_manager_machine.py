"""Any history of prompts, stops, failures, changes, deletions and crashes keeps the promises about turns."""

import asyncio
import tempfile
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from pydantic_ai.models.function import FunctionModel

from sessionmagic import MemoryStore, Models, SessionManager, TinyStore, register_model
from sessionmagic.conversation.events import TurnFinished, TurnStarted
from sessionmagic.exceptions import ModelReferenceError, SessionBusyError, SessionNotFoundError, StoreError

NAMES = st.sampled_from(["a", "b"])
SECONDS = 10.0


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
        self.model = FunctionModel(stream_function=self._stream)
        self.sent = {}
        self.orders = {}

    async def _stream(self, messages, info):
        parts = [(part.part_kind, part.content) for message in messages for part in message.parts]
        prompt = parts[-1][1]
        self.sent[prompt] = parts
        orders = self.orders.setdefault(prompt, asyncio.Queue())
        while (order := await orders.get()) != "end":
            if order == "fail":
                raise RuntimeError("it broke")
            yield order

    async def was_asked(self, prompt):
        while prompt not in self.orders:
            await asyncio.sleep(0)

    def order(self, prompt, order):
        self.orders[prompt].put_nowait(order)


@dataclass
class Expected:
    """A turn as it should be."""

    prompt: str
    model: str
    turn: object = None
    said: str = ""
    status: str = "running"
    on_path: bool = True

    def history(self):
        return [("user-prompt", self.prompt), *([("text", self.said)] if self.said else [])]


@dataclass
class Conversation:
    """A session as it should be."""

    turns: list = field(default_factory=list)
    override: str | None = None
    starred: bool = False
    running: Expected | None = None

    def path(self):
        return [turn for turn in self.turns if turn.on_path]


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
            self.end(self.sessions[name], "end")

    def make_store(self):
        return MemoryStore()

    def start_process(self, store):
        self.process = Mortal(store)
        self.manager = SessionManager(self.process, Models("default model"))

    def do(self, work):
        return self.loop.run_until_complete(asyncio.wait_for(work, SECONDS))

    def running(self):
        return [(name, each) for name, each in sorted(self.sessions.items()) if each.running]

    @rule(name=NAMES, model=st.sampled_from(["", "", "one", "two", "default", "bad:x", "no model"]), once=st.booleans())
    def ask_something(self, name, model, once):
        self.ask(name, model, once=once and bool(model))

    def ask(self, name, model, *, once):
        self.asked += 1
        prompt = f"prompt {self.asked}"
        options = {"session": name, "model": model, "once": once}
        before = self.sessions.get(name)
        if before and before.running:
            with pytest.raises(SessionBusyError):
                self.do(self.manager.run(prompt, **options))
            return
        if model in {"bad:x", "no model"}:
            with pytest.raises(ModelReferenceError):
                self.do(self.manager.run(prompt, **options))
            return
        after = self.sessions.setdefault(name, Conversation())
        answering = {"": after.override or "default model", "default": "default model"}.get(model, model)
        expected = Expected(prompt, answering)
        history = [part for turn in after.path() for part in turn.history()]
        expected.turn = self.do(self.manager.run(prompt, **options))
        self.do(self.conductor.was_asked(prompt))
        assert self.conductor.sent[prompt] == [*history, ("user-prompt", prompt)]
        after.turns.append(expected)
        after.running = expected
        if model and not once:
            after.override = None if model == "default" else model

    def pick(self, data):
        return data.draw(st.sampled_from(self.running()))[1]

    @precondition(lambda self: self.running())
    @rule(data=st.data(), text=st.sampled_from(["word ", "{x}\n", "🦊"]))
    def say(self, data, text):
        turn = self.pick(data).running
        turn.said += text
        self.conductor.order(turn.prompt, text)
        self.do(self.heard(turn))

    async def heard(self, expected):
        while expected.turn.transcript.text != expected.said:
            await asyncio.sleep(0)

    @precondition(lambda self: self.running())
    @rule(data=st.data(), order=st.sampled_from(["end", "end", "fail", "cancel"]))
    def end_a_turn(self, data, order):
        self.end(self.pick(data), order)

    def end(self, session, order):
        turn = session.running
        if order == "end" and not turn.said:
            turn.said = "at last"
            self.conductor.order(turn.prompt, turn.said)
        if order == "cancel":
            turn.turn.cancel()
        else:
            self.conductor.order(turn.prompt, order)
        self.over(session, {"end": "completed", "fail": "failed", "cancel": "interrupted"}[order])

    def over(self, session, status):
        turn = session.running
        session.running = None
        turn.status = status
        turn.on_path = status != "failed" or bool(turn.said)
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
        self.do(self.manager.delete(name))
        if session.running:
            assert session.running.turn.finished
            self.over(session, "interrupted")

    @rule()
    def crash(self):
        running = [session for _, session in self.running()]
        self.process.die()
        self.manager.shutdown(0)
        for session in running:
            turn, session.running = session.running, None
            self.do(turn.turn.result())
            self.ended.append(turn.turn)
            turn.said, turn.status = "", "running"
        self.start_process(self.process.store)

    @invariant()
    def every_promise_holds(self):
        active = sorted(each.running.turn.id + each.running.turn.session_id for _, each in self.running())
        assert sorted(turn.id + turn.session_id for turn in self.manager.turns.running()) == active
        summaries, problems = self.manager.sessions.summaries()
        assert ({summary.name for summary in summaries}, problems) == (set(self.sessions), [])
        for summary in summaries:
            self.check(self.sessions[summary.name], summary, self.manager.sessions.load(summary.name))

    def check(self, expected, summary, session):
        if expected.turns and expected.running is None and expected.turns[-1].status == "running":
            assert summary.status == "interrupted"
        assert session.agent_model_overrides == ({"assistant": expected.override} if expected.override else {})
        assert session.starred == expected.starred
        assert [(turn.prompt, turn.model) for turn in session.turns] == [
            (turn.prompt, turn.model) for turn in expected.turns
        ]
        assert [turn.prompt for turn in session.path()] == [turn.prompt for turn in expected.path()]
        for turn, record in zip(expected.turns, session.turns, strict=True):
            dead = turn.status == "running" and turn is not expected.running
            assert record.status == turn.status or (dead and record.status == "interrupted")
        assert sum(record.status == "running" for record in session.turns) <= 1

    def teardown(self):
        self.manager.shutdown(0)
        for _, session in self.running():
            self.ended.append(session.running.turn)
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


def settings_for(examples):
    return settings(
        max_examples=examples, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )


TestManagerInMemory = ManagerMachine.TestCase
TestManagerInMemory.settings = settings_for(30)
TestManagerOnDisk = TinyManagerMachine.TestCase
TestManagerOnDisk.settings = settings_for(12)
