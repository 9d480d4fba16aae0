"""A turn's questions where no button can be clicked: asked on stdin, or announced with a command."""

import asyncio
import time
from types import SimpleNamespace

import pytest

from sessionmagic.conversation.events import ApprovalRequested, InputRequested
from sessionmagic.exceptions import UsageError
from sessionmagic.notebook import asker as module
from sessionmagic.notebook.asker import Asker

HEAD = {"session_id": "s", "turn_id": "1", "agent": "a", "at": time.time(), "seq": 1}


def call(approval_id):
    return ApprovalRequested(approval_id=approval_id, call_id="c", tool="run", args={}, why="it may act", **HEAD)


FORM = InputRequested(question_id="form", server="web", message="Who?", schema={}, **HEAD)


class Turn:
    """A turn that asks these things; each is open until it is answered through the turn's own controls."""

    def __init__(self, *events, refused=0):
        self.session_name = "chat"
        self.column = None
        self.asking = asyncio.Lock()
        self.asked = events
        self.refused = refused
        self.answers = []
        self.approvals = SimpleNamespace(open=[SimpleNamespace(id=e.approval_id) for e in events if e is not FORM])
        self.questions = SimpleNamespace(open=[SimpleNamespace(id="form")] if FORM in events else [])

    async def events(self):
        for event in self.asked:
            yield event

    async def run_in_cell(self, call):
        return call()

    def resolve(self, approval_id, decision, reason=""):
        covered = decision in {"tool", "all"}
        self.approvals.open = [each for each in self.approvals.open if not covered and each.id != approval_id]
        self.answers.append((approval_id, decision, reason))

    def reply(self, question_id, action, content=None):
        if self.refused:
            self.refused -= 1
            raise UsageError("it does not fit")
        self.questions.open = []
        self.answers.append((question_id, action, content))

    def is_asked(self, asks="stdin"):
        asyncio.run(Asker(self, self, asks, hz=1_000).follow(self))
        return self.answers


@pytest.fixture
def stdin(monkeypatch):
    """What is answered on stdin from now on; an error is raised there."""
    monkeypatch.setattr(module, "GRANT_SECONDS", 0.02)

    def answer(decision=("once", ""), content=("accept", {})):
        def give(given):
            if isinstance(given, Exception):
                raise given
            return given

        monkeypatch.setattr(module, "ask_on_stdin", lambda *_: give(decision))
        monkeypatch.setattr(module, "fill_in_on_stdin", lambda *_: give(content))

    return answer


def test_each_call_and_form_is_asked_on_stdin(stdin):
    stdin(("reject", "too slow"), ("accept", {"name": "Ada"}))
    asked = Turn(call("1"), FORM, call("2")).is_asked()
    assert asked == [("1", "reject", "too slow"), ("form", "accept", {"name": "Ada"}), ("2", "reject", "too slow")]


def test_question_is_not_held_back_by_a_clock_that_was_set_back(stdin, monkeypatch):
    stdin()
    monkeypatch.setattr(time, "time", lambda: HEAD["at"] - 3600)
    assert Turn(call("1")).is_asked() == [("1", "once", "")]


def test_call_that_a_lasting_approval_covers_is_not_asked_about(stdin):
    stdin(("tool", ""))
    assert Turn(call("1"), call("2")).is_asked() == [("1", "tool", "")]


def test_call_that_the_answer_to_another_column_covers_is_not_asked_about(stdin):
    stdin(("all", ""))
    one, two = Turn(call("1")), Turn(call("2"))
    two.asking = one.asking

    def resolve(*answer):
        one.answers.append(answer)
        two.approvals.open = []

    one.resolve = resolve

    async def follow():
        await asyncio.gather(*(Asker(each, each, "stdin", hz=1_000).follow(each) for each in (one, two)))

    asyncio.run(follow())
    assert (one.answers, two.answers) == ([("1", "all", "")], [])


def test_call_that_cannot_be_asked_about_is_rejected_and_a_form_declined(stdin):
    stdin(OSError("no terminal"), EOFError())
    asked = Turn(call("1"), FORM).is_asked()
    assert asked == [("1", "reject", "the user could not be asked (OSError)"), ("form", "decline", None)]


def test_form_is_asked_again_until_its_answer_is_valid(stdin, capsys):
    stdin()
    assert Turn(FORM, refused=2).is_asked() == [("form", "accept", {})]
    assert capsys.readouterr().out == "it does not fit\n" * 2


def test_turn_in_the_background_prints_the_commands_that_answer_it(capsys):
    assert Turn(call("1"), FORM).is_asked("command") == []
    shown = capsys.readouterr().out
    assert "chat waits for your answer: run" in shown
    assert "%agent approve 1 " in shown
    assert "%agent approve form " in shown
