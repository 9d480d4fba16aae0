"""What the status line says that a turn is doing."""

from dataclasses import replace

import pytest

from sessionmagic.conversation.events import (
    ApprovalRequested,
    ApprovalResolved,
    InputProvided,
    InputRequested,
    MessageInjected,
    ReasoningDelta,
    TextDelta,
    ToolBegan,
    ToolCallDelta,
    ToolCalled,
    ToolPrinted,
    ToolReturned,
    TurnFinished,
    TurnStarted,
)
from sessionmagic.conversation.folding import fold
from sessionmagic.conversation.transcript import TextBlock, ToolBlock, Transcript
from sessionmagic.notebook.activity import activity
from sessionmagic.notebook.captions import status_line

pytestmark = pytest.mark.once

HEAD = {"session_id": "s", "turn_id": "1", "agent": "assistant", "at": 5.0}
RUN = {"call_id": "a", "tool": "run_python"}
QUESTION = {"question_id": "q", "server": "web", "message": "m", "schema": {}}
TURN = [
    (TurnStarted, {"session": "chat", "prompt": "Go", "model": "m"}, "waiting for the model"),
    (ReasoningDelta, {"text": "Well"}, "thinking"),
    (TextDelta, {"text": "Let me see."}, "answering"),
    (ToolCallDelta, {**RUN, "text": '{"co'}, "calling run_python"),
    (ToolCalled, {**RUN, "args": {}}, "calling run_python"),
    (ApprovalRequested, {**RUN, "approval_id": "p", "args": {}, "why": "w"}, "turn 1 waits for your answer"),
    (ApprovalResolved, {"approval_id": "p", "call_id": "a", "decision": "once"}, "calling run_python"),
    (ToolBegan, RUN, "running run_python"),
    (ToolPrinted, {**RUN, "text": "step 1"}, "running run_python"),
    (InputRequested, QUESTION, "turn 1 waits for your answer"),
    (InputProvided, {"question_id": "q", "action": "decline"}, "running run_python"),
    (ToolReturned, {**RUN, "outcome": "success", "content": "", "duration": 1.0}, "waiting for the model"),
    (TextDelta, {"text": "So"}, "answering"),
    (MessageInjected, {"text": "Go on", "kind": "steer"}, "waiting for the model"),
    (TurnFinished, {"status": "completed", "model": "m"}, ""),
]


def test_each_event_of_a_turn_says_what_it_does_next():
    transcript, said = Transcript(), []
    for seq, (kind, content, _) in enumerate(TURN, start=1):
        transcript = fold(transcript, [kind(seq=seq, **HEAD, **content)])
        said.append(activity(transcript))
    assert said == [words for _, _, words in TURN]


@pytest.mark.parametrize(
    ("tools", "words"),
    [
        (["a"], "running a"),
        (["a", "b"], "running a and b"),
        (["a", "a"], "running 2 calls of a"),
        (["a", "b", "a", "c", "d"], "running a, b and 2 more"),
    ],
)
def test_tools_that_run_side_by_side_are_named_in_few_words(tools, words):
    running = tuple(ToolBlock(str(at), tool, {}, began=True) for at, tool in enumerate(tools))
    waits_for_these = ToolBlock("z", "next", {})
    ended = ToolBlock("x", "ended", {}, "success")
    asks = ToolBlock("y", "asks", {}, approval_id="id")
    assert activity(Transcript(turn_id="1", blocks=(ended, *running, waits_for_these))) == words
    assert activity(Transcript(turn_id="1", blocks=(ended, *running, asks))) == "turn 1 waits for your answer"


def test_turn_that_has_not_started_says_whether_its_session_is_busy():
    assert activity(Transcript()) == "starting"
    assert activity(Transcript(waits_for_session=True)) == "waiting for the session"


def test_status_line_ends_with_what_the_turn_does():
    transcript = Transcript(session="chat", turn_id="1", model="m", blocks=(TextBlock("word " * 8),))
    assert status_line(transcript, "", "", 0.0).endswith(" s · ~10 tokens · answering")
    assert status_line(replace(transcript, status="completed"), "", "", 0.0).endswith(" s · ~10 tokens")
