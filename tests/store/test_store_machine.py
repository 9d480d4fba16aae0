"""Any history of changes leaves a store with what a dictionary would have, also after it was opened again."""

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sessionmagic import MemoryStore, TinyStore
from sessionmagic.conversation.session import Session, TurnRecord, summarize, with_override
from sessionmagic.conversation.tree import with_finished_turn, with_turn
from sessionmagic.exceptions import SessionExistsError, SessionNotFoundError
from sessionmagic.storage import session_files
from sessionmagic.storage.claims import HeldError, Holder
from tests.examples import examples

pytestmark = pytest.mark.timeout(600)  # thousands of commits, each of which waits for the disk

SOME_NAMES = ["a", "a/b", "🦊", "..", "A", "index"]
NAMES = st.sampled_from(SOME_NAMES) | st.sampled_from(SOME_NAMES) | st.text(min_size=1, max_size=5)
TEXTS = st.text(max_size=10)


class StoreMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.sessions = {}
        self.gone = []
        self.created = 0
        self.claims = {}

    @initialize()
    def begin(self):
        self.open()
        for name in SOME_NAMES[:3]:
            self.create(name, "")

    def open(self):
        self.store = MemoryStore()

    def key(self, data):
        return data.draw(st.sampled_from(list(self.sessions)))

    def taken(self, name):
        return next((key for key, session in self.sessions.items() if session.name == name), None)

    @rule(name=NAMES, title=TEXTS)
    def create_a_session(self, name, title):
        self.create(name, title)

    def create(self, name, title):
        self.created += 1
        key = f"20260101-000000-{self.created:08}"
        session = Session(id=key, name=name, title=title, created_at=1.0, updated_at=1.0)
        if self.taken(name):
            with pytest.raises(SessionExistsError):
                self.store.create(session)
        else:
            self.store.create(session)
            self.sessions[key] = session

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), title=TEXTS, starred=st.booleans(), model=st.sampled_from([None, "test", "lab:x", "lab:y"]))
    def change_fields(self, data, title, starred, model):
        self.change(data, lambda now: with_override(replace(now, title=title, starred=starred), "assistant", model))

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), prompt=TEXTS)
    def add_turn(self, data, prompt):
        def change(now):
            number = str(len(now.turns) + 1)
            record = TurnRecord(
                id=number, parent=now.head, agent="assistant", model="test", prompt=prompt, started_at=2.0
            )
            return with_turn(now, record)

        self.change(data, change)

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), keep=st.booleans(), text=TEXTS)
    def finish_a_turn(self, data, keep, text):
        message = {"kind": "response", "parts": [{"part_kind": "text", "content": text}]}

        def change(now):
            if not now.turns:
                return now
            number = str(1 + len(text) % len(now.turns))
            return with_finished_turn(
                now,
                number,
                lambda turn: replace(
                    turn, status="completed" if keep else "failed", messages=[*turn.messages, message] if keep else []
                ),
                at=3.0,
            )

        self.change(data, change)

    def change(self, data, change):
        key = self.key(data)
        self.sessions[key] = change(self.sessions[key])
        assert self.store.update(key, change) == self.sessions[key]

    @precondition(lambda self: self.sessions)
    @rule(data=st.data())
    def change_that_fails(self, data):
        def change(_now):
            raise ArithmeticError

        with pytest.raises(ArithmeticError):
            self.store.update(self.key(data), change)

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), name=NAMES)
    def rename(self, data, name):
        key = self.key(data)
        if self.taken(name) in {None, key}:
            self.store.rename(key, name)
            self.sessions[key] = replace(self.sessions[key], name=name)
        else:
            with pytest.raises(SessionExistsError):
                self.store.rename(key, name)

    @precondition(lambda self: self.sessions)
    @rule(data=st.data())
    def delete(self, data):
        key = self.key(data)
        self.store.delete(key)
        del self.sessions[key]
        self.gone.append(key)

    @precondition(lambda self: self.gone)
    @rule(data=st.data())
    def write_late(self, data):
        key = data.draw(st.sampled_from(self.gone))
        with pytest.raises(SessionNotFoundError):
            self.store.update(key, lambda now: replace(now, title="late"))
        with pytest.raises(SessionNotFoundError):
            self.store.delete(key)

    @precondition(lambda self: self.sessions)
    @rule(data=st.data())
    def claim(self, data):
        key = self.key(data)
        if key in self.claims:
            with pytest.raises(HeldError):
                self.store.claim(key, Holder.here("again"))
        else:
            self.claims[key] = self.store.claim(key, Holder.here("cell"))

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def release(self, data):
        self.claims.pop(data.draw(st.sampled_from(list(self.claims)))).release()

    @rule(name=NAMES)
    def find(self, name):
        assert self.store.find(name) == self.taken(name)

    @invariant()
    def holds_what_the_model_holds(self):
        for key, session in self.sessions.items():
            assert self.store.load(key) == session
        summaries, problems = self.store.summaries()
        assert problems == []
        assert sorted(summaries, key=lambda each: each.id) == [
            summarize(self.sessions[key]) for key in sorted(self.sessions)
        ]

    def teardown(self):
        for claim in self.claims.values():
            claim.release()


class TinyStoreMachine(StoreMachine):
    def open(self):
        self.directory = tempfile.TemporaryDirectory()
        self.home = Path(self.directory.name) / "home"
        self.patch = pytest.MonkeyPatch()
        self.store, self.other = TinyStore(self.home), TinyStore(self.home)

    @rule(small=st.sampled_from([0, session_files.SMALL_SESSION]))
    def keep_journals_of_small_sessions(self, small):
        self.patch.setattr(session_files, "SMALL_SESSION", small)

    @rule()
    def open_again(self):
        self.store = TinyStore(self.home)

    @rule()
    def use_the_other_of_two(self):
        self.store, self.other = self.other, self.store

    @rule(
        file=st.sampled_from(["index.json", "names.json"]),
        content=st.sampled_from([None, b"", b"{", b"[]", b'{"x": 1}', b'{"20260101-000000-00000099": "a"}']),
    )
    def lose_a_file_that_can_be_rebuilt(self, file, content):
        path = self.home / file
        if content is None or not self.home.exists():
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(content)
        self.store = TinyStore(self.home)

    @invariant()
    def leaves_nothing_behind(self):
        if not (self.home / "sessions").exists():
            return
        found = {path.name for path in (self.home / "sessions").iterdir()}
        assert {name.removesuffix(".json") for name in found if name.endswith(".json")} == set(self.sessions)
        assert not [name for name in found if name.endswith(".tmp") or "unreadable" in name]

    def teardown(self):
        super().teardown()
        self.patch.undo()
        self.directory.cleanup()


def settings_for(count):
    return settings(max_examples=examples(count), stateful_step_count=30, suppress_health_check=[HealthCheck.too_slow])


TestMemoryStore = StoreMachine.TestCase
TestMemoryStore.settings = settings_for(60)
TestTinyStore = TinyStoreMachine.TestCase
TestTinyStore.settings = settings_for(25)
