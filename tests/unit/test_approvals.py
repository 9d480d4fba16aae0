"""Questions that wait for a yes: each is answered once, by its id, or never."""

import asyncio
import threading

import pytest

from sessionmagic.exceptions import ApprovalNotOpenError, SessionMagicError
from sessionmagic.tools.approvals import Approvals, Resolution
from sessionmagic.tools.call import Call
from tests.turns import on_a_loop


@pytest.fixture
def approvals():
    return Approvals(lambda *_, **__: None)


async def ask(approvals, tool="run"):
    """Ask; return the approval that is open now, and the task that waits for its resolution."""
    asking = asyncio.ensure_future(approvals.ask("call-1", Call(tool, {"code": "1"}), "the tool may change something"))
    await asyncio.sleep(0)
    return approvals.open[-1], asking


@on_a_loop
async def test_answer_reaches_whoever_asked(approvals):
    approval, answered = await ask(approvals)
    assert approvals.open == [approval]
    assert (approval.call_id, approval.tool, approval.args, approval.why) == (
        "call-1",
        "run",
        {"code": "1"},
        "the tool may change something",
    )
    assert approvals.resolve(approval.id, "reject", "too risky") == approval
    assert await answered == Resolution("reject", "too risky")
    assert approvals.open == []


@on_a_loop
async def test_second_answer_is_refused_and_changes_nothing(approvals):
    approval, answered = await ask(approvals)
    approvals.resolve(approval.id, "reject", "no")
    with pytest.raises(ApprovalNotOpenError, match=f"approval '{approval.id}' is not open"):
        approvals.resolve(approval.id, "once")
    assert await answered == Resolution("reject", "no")


@on_a_loop
async def test_late_answer_is_refused(approvals):
    approval, answered = await ask(approvals)
    approvals.close()
    with pytest.raises(ApprovalNotOpenError):
        approvals.resolve(approval.id, "once")
    assert await answered == Resolution("reject")
    approvals.close()


@on_a_loop
async def test_call_that_asks_after_its_turn_has_ended_is_rejected(approvals):
    approvals.close()
    assert await approvals.ask("call-1", Call("run", {}), "the tool may change something") == Resolution("reject")
    assert approvals.open == []


@pytest.mark.parametrize("wrong", ["", "nothing", "call-1", "run"])
@on_a_loop
async def test_answer_to_an_unknown_question_is_refused_and_applied_to_no_other(approvals, wrong):
    approval, answered = await ask(approvals)
    with pytest.raises(ApprovalNotOpenError):
        approvals.resolve(wrong, "once")
    await asyncio.sleep(0)
    assert approvals.open == [approval]
    assert not answered.done()


@pytest.mark.parametrize("answer", ["", "yes", "no", "ONCE", "approve", None])
@on_a_loop
async def test_answer_that_is_none_is_refused_and_the_question_stays_open(approvals, answer):
    approval, answered = await ask(approvals)
    with pytest.raises(SessionMagicError):
        approvals.resolve(approval.id, answer)
    await asyncio.sleep(0)
    assert approvals.open == [approval]
    assert not answered.done()


@on_a_loop
async def test_answer_to_another_turn_is_refused(approvals):
    approval, _ = await ask(approvals)
    elsewhere, _ = await ask(other := Approvals(lambda *_, **__: None))
    with pytest.raises(ApprovalNotOpenError):
        approvals.resolve(elsewhere.id, "once")
    assert (approvals.open, other.open) == ([approval], [elsewhere])


@on_a_loop
async def test_questions_are_answered_one_by_one_in_any_order(approvals):
    asked = [await ask(approvals, tool) for tool in ("a", "b", "c")]
    assert [approval.tool for approval in approvals.open] == ["a", "b", "c"]
    assert len({approval.id for approval, _ in asked}) == 3
    for place, answer in ((1, "once"), (2, "reject"), (0, "all")):
        approval, answered = asked[place]
        approvals.resolve(approval.id, answer)
        assert await answered == Resolution(answer)
    assert approvals.open == []


@on_a_loop
async def test_question_may_be_answered_from_another_thread(approvals):
    approval, answered = await ask(approvals)
    threading.Thread(target=approvals.resolve, args=(approval.id, "tool")).start()
    assert await asyncio.wait_for(answered, 30) == Resolution("tool")


@on_a_loop
async def test_of_many_answers_at_once_one_is_taken_and_the_others_are_refused(approvals):
    for _ in range(20):
        approval, answered = await ask(approvals)
        barrier = threading.Barrier(4)

        def answer(reason, approval=approval, barrier=barrier):
            barrier.wait(5)
            try:
                approvals.resolve(approval.id, "reject", reason)
            except ApprovalNotOpenError:
                return None
            return reason

        taken = await asyncio.gather(*(asyncio.to_thread(answer, reason) for reason in "abcd"))
        [winner] = filter(None, taken)
        assert (await answered).reason == winner


@on_a_loop
async def test_answer_after_its_asker_was_cancelled_does_no_harm(approvals):
    approval, answered = await ask(approvals)
    answered.cancel()
    approvals.resolve(approval.id, "once")
    await asyncio.wait([answered])
    assert answered.cancelled()
    assert approvals.open == []


@on_a_loop
async def test_approval_whose_asker_was_cancelled_is_withdrawn(approvals):
    approval, answered = await ask(approvals)
    answered.cancel()
    await asyncio.wait([answered])
    assert approvals.open == []
    with pytest.raises(ApprovalNotOpenError):
        approvals.resolve(approval.id, "once")


@on_a_loop
async def test_cancel_after_the_answer_does_no_harm(approvals):
    approval, answered = await ask(approvals)
    approvals.resolve(approval.id, "once")
    answered.cancel()
    await asyncio.wait([answered])
    assert answered.cancelled()
