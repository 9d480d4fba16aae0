import pytest
from pydantic_ai.messages import PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta

from sessionmagic.turns.written_answer import WrittenAnswer


@pytest.mark.parametrize(
    ("texts", "taken", "reported"),
    [
        (["  ", '{"a"', ": 1}"], [True, True, True], ['  {"a"', ": 1}"]),
        (["  ", " ", '{"a": 1}'], [True, True, True], ['   {"a": 1}']),
        (['{"a"', ": 1}"], [True, True], ['{"a"', ": 1}"]),
        (["\n", "Sorry"], [True, False], ["\n"]),  # not the answer, so that only the blanks are told here
        (["Sorry", ", no"], [False, False], []),
    ],
)
def test_a_text_is_the_answer_from_its_first_piece_of_json_on(texts, taken, reported):
    events = []
    answer = WrittenAnswer(lambda _, **fields: events.append(fields["text"]))
    first, *later = texts
    seen = [answer.takes(PartStartEvent(index=0, part=TextPart(first)))]
    seen += [answer.takes(PartDeltaEvent(index=0, delta=TextPartDelta(each))) for each in later]
    assert (seen, events) == (taken, reported)
    assert answer.begun is ("{" in "".join(texts))
