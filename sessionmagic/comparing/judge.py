"""Ask a judge which answers are better: about each two answers to a prompt, in both orders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sessionmagic.comparing.judge_report import Judgement, judge_warnings
from sessionmagic.comparing.judging import ORDERS, judge_instructions, pairings, read_verdict
from sessionmagic.comparing.plan import GridRequest
from sessionmagic.comparing.replayed_verdicts import judging
from sessionmagic.exceptions import UsageError
from sessionmagic.models.said import said_to_judge

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
    from typing import Any

    from sessionmagic.comparing.contestants import Contestant
    from sessionmagic.comparing.judging import Answer, Pairing
    from sessionmagic.comparing.results import GridResults


@dataclass(frozen=True, slots=True)
class Judge:
    """A model that says which of two answers is better.

    Attributes:
        model: Its reference.
        criteria: What makes an answer the better one, in the user's words; empty for general criteria.
    """

    model: str
    criteria: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a judge has said.

    Attributes:
        judge: The reference of the judge.
        pairs: Each two answers that it was asked about.
        judgements: Its verdicts on each pair.
        warnings: Why it is to be trusted less, and what the user should know of its requests.
        results: Its requests, with their cost.
    """

    judge: str
    pairs: list[Pairing]
    judgements: list[Judgement]
    warnings: list[str]
    results: GridResults
    is_new: bool = False
    """Whether a recording that is filled has not had all verdicts."""


async def judged(
    run: Callable[[GridRequest], Awaitable[GridResults]],
    judge: Judge,
    answers: Iterable[Answer],
    questions: Mapping[Hashable, str],
    contestants: Sequence[Contestant],
    **options: Any,
) -> Judged:
    """Ask a judge about each two answers to a prompt, in both orders. Verdicts that it has given before are kept.

    Args:
        run: Makes its requests, as a grid.
        judge: The judge.
        answers: The answers.
        questions: The text of each prompt.
        contestants: What has answered.
        options: Other fields of `GridRequest`, such as `name` and `max_cost`.

    Raises `UsageError` when there are no two answers to a prompt, `ReplayError` when a recording lacks a verdict, and
    what a grid raises.
    """
    pairs = pairings(answers, [each.label for each in contestants])
    if not pairs:
        raise UsageError("there are fewer than two answers to judge; ask two or more models")
    prompts = [pair.request(questions[pair.first.prompt], order) for pair in pairs for order in ORDERS]
    request = GridRequest(prompts=prompts, models=[judge.model], system=judge_instructions(judge.criteria), **options)
    said = [said_to_judge(questions[pair.first.prompt], *pair.texts(order)) for pair in pairs for order in ORDERS]
    with judging(dict(zip(prompts, said, strict=True)), judge.criteria) as work:
        results = await run(request)
    if work.lacking is not None:
        raise work.lacking
    verdicts = {row.number: read_verdict(row.answer) for row in results if row.answer is not None}
    return Judged(
        judge=judge.model,
        pairs=pairs,
        judgements=[
            Judgement(
                pair.first.prompt,
                pair.first.contestant,
                pair.second.contestant,
                verdicts.get(2 * number),
                verdicts.get(2 * number + 1),
            )
            for number, pair in enumerate(pairs)
        ],
        warnings=[*judge_warnings(judge.model, contestants), *results.warnings, *results.faults("verdict")],
        results=results,
        is_new=work.filled,
    )
