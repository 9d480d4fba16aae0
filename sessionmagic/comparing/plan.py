"""What a grid asks for, checked as a whole before anything is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sessionmagic.comparing.asking import Asker
from sessionmagic.comparing.cells import Cells, checked_prompts, identity
from sessionmagic.comparing.contestants import Contestant, contestants
from sessionmagic.comparing.estimate import Estimate, cost_of, output_tokens
from sessionmagic.conversation.budget import checked_budget
from sessionmagic.exceptions import UsageError
from sessionmagic.keys.cleaning import without_keys
from sessionmagic.models.blends import members_in
from sessionmagic.models.named import NO_NAMES
from sessionmagic.models.references import readings
from sessionmagic.models.settings import checked, given, merged
from sessionmagic.turns.account import KERNEL, Account
from sessionmagic.turns.charged_model import require_price
from sessionmagic.turns.context_size import tokens_in
from sessionmagic.turns.left_out import LeftOut
from sessionmagic.turns.output_type import output_type
from sessionmagic.turns.planning import ignored_warnings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Executor

    from sessionmagic.comparing.cells import CellAnswer
    from sessionmagic.comparing.progress import Progress
    from sessionmagic.comparing.scoring import Score
    from sessionmagic.models.catalog import Models
    from sessionmagic.models.named import Names
    from sessionmagic.models.resolved import ResolvedModel
    from sessionmagic.turns.output_type import OutputType


@dataclass(frozen=True, slots=True)
class Spender:
    """Whose requests a grid makes, in the words of its errors.

    Attributes:
        name: Who spends.
        limit: What may be spent, with ``{}`` for the amount.
        if_more: What to do if that is less than the estimate.
        if_spent: What to do if it is spent.
    """

    name: str = "the grid"
    limit: str = "its max_cost of {}"
    if_more: str = "ask fewer prompts, or raise max_cost"
    if_spent: str = "run it again to go on"


@dataclass(frozen=True, slots=True, kw_only=True)
class GridRequest:
    """Many prompts for several models.

    Attributes:
        prompts: Texts, such as a list or a column of a DataFrame. Equal prompts are asked once, and share the answer.
        models: References. Each is a contestant, with each combination of the settings that vary.
        repeat: How often each prompt is asked of each contestant.
        vary: For each setting that varies, its values.
        system: Instructions for all models.
        settings: Settings for all models.
        defaults: Settings for models that have no others, neither of the grid nor of their name in the agents file.
        output_type: The type of structured answers, as in `Request`; None for texts. A score function finds the value
            in the row. An answer that does not fit is asked for again, and is an error of its row at last.
        score: Scores each answer: takes it and its row, and returns a number, a bool, or a dict of these by name. It
            runs in this process, and what it raises is kept in the row.
        name: The name under which the answers are kept. Running a grid with the same name goes on with it.
        max_cost: Dollars that this run may cost. It does not begin if the estimate is higher, and asks nothing more
            when they are spent.
        executor: Makes the requests; by default this process does. Each call has its own arguments, which can be
            pickled, and keys are read from the environment of its workers. Within a call, they ask again for a
            structured answer that does not fit, whatever has been spent meanwhile.
        progress: Called on the loop's thread as answers come in, a few times a second.
        where: The cell or script that runs the grid, for the errors that others get.
        spender: Whose requests these are.
    """

    prompts: Iterable[Any]
    models: Sequence[str] | str
    repeat: int = 1
    vary: Mapping[str, Sequence[Any]] | None = None
    system: str | None = None
    settings: Mapping[str, Any] | None = None
    defaults: Mapping[str, Any] | None = None
    output_type: Any = None
    score: Score | None = None
    name: str = "grid"
    max_cost: float | None = None
    executor: Executor | None = None
    progress: Callable[[Progress], object] | None = None
    where: str = "a script"
    spender: Spender = field(default_factory=Spender)


@dataclass(frozen=True, slots=True)
class Column:
    """A contestant that is ready to be asked."""

    contestant: Contestant
    settings: Mapping[str, Any]
    """The contestant's settings and those of the grid."""
    model: ResolvedModel
    asker: Asker

    @property
    def provider(self) -> tuple[str, str]:
        """What its pace is shared with."""
        return self.model.provider


@dataclass(frozen=True, slots=True)
class Plan:
    """A grid that can be asked."""

    cells: Cells
    columns: list[Column]
    system: str
    endpoints: Mapping[str, str]
    warnings: list[str]
    account: Account
    """The account of this run."""
    output_type: OutputType | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    names: Names = NO_NAMES
    """The models and servers that have names of their own."""

    def columns_of(self, provider: tuple[str, str]) -> list[int]:
        """Return the numbers of the columns of a provider."""
        return [number for number, column in enumerate(self.columns) if column.provider == provider]

    def estimate(self, answers: Mapping[bytes, CellAnswer]) -> Estimate:
        """Return what the cells without an answer will cost."""
        known = [answer.usage.output_tokens for answer in answers.values() if answer.usage.output_tokens]
        average = sum(known) / len(known) if known else None
        requests, sent = [0] * len(self.columns), [0] * len(self.columns)
        system, row, length = tokens_in(self.system), -1, 0
        counted: set[bytes] = set()
        for cell in self.cells:
            if cell.key in answers or cell.key in counted:
                continue
            counted.add(cell.key)
            if cell.row != row:
                row, length = cell.row, tokens_in(self.cells.prompts[cell.row]) + system
            requests[cell.column] += 1
            sent[cell.column] += length
        received = [
            count * max(output_tokens(each.settings, average) for each in column.asker.model.each)
            for count, column in zip(requests, self.columns, strict=True)
        ]
        costs = [
            cost_of(column.model, *tokens) if tokens[0] else 0.0
            for column, *tokens in zip(self.columns, sent, received, strict=True)
        ]
        known_costs = [cost for cost in costs if cost is not None]
        cost = sum(known_costs) if len(known_costs) == len(costs) else None
        return Estimate(sum(requests), sum(sent), sum(received), cost)


def planned(request: GridRequest, models: Models) -> Plan:
    """Return a grid that is ready to be asked. Uses no network.

    Raises `UsageError` for prompts, settings and amounts that are not valid, and `ModelReferenceError` for the first
    model that cannot be used.
    """
    _check_options(request)
    references = [request.models] if isinstance(request.models, str) else list(request.models)
    named = contestants([models.default if each == "default" else each for each in references], request.vary)
    settings, defaults = checked(request.settings or {}), checked(request.defaults or {})
    type_ = None if request.output_type is None else output_type(request.output_type)
    prompts = checked_prompts(request.prompts)
    left_out = LeftOut()
    system = without_keys(request.system or "", left_out.noting("instructions"))
    resolved = {reference: models.resolve(reference) for reference in dict.fromkeys(each.model for each in named)}
    if request.executor is not None:
        _require_no_headers(resolved.values())
    columns = []
    for each in named:
        model, own = resolved[each.model], merged(settings, each.settings)
        for account in (KERNEL, Account(request.spender.name, "", budget=request.max_cost)):
            require_price(model, account)
        asker = Asker(model, own, system, type_, defaults=defaults)
        columns.append(Column(each, given(merged(defaults, own)), model, asker))
    sent = [without_keys(prompt, left_out.noting("prompt"), look=False) for prompt in prompts]
    warnings = _warnings(columns)
    if warning := left_out.warning():
        warnings.append(warning.partition(";")[0])
    identities = [identity(each.contestant, each.asker.model, each.settings, system, type_) for each in columns]
    return Plan(
        Cells(sent, identities, request.repeat),
        columns,
        system,
        _endpoints(named, models),
        warnings,
        Account(request.spender.name, request.spender.if_spent),
        type_,
        defaults,
        models.names,
    )


def _check_options(request: GridRequest) -> None:
    if not isinstance(request.repeat, int) or isinstance(request.repeat, bool) or request.repeat < 1:
        raise UsageError(f"repeat is {request.repeat!r}; give a whole number, 1 or more")
    if request.max_cost is not None:
        checked_budget(request.max_cost)
    if request.executor is not None and not hasattr(request.executor, "submit"):
        raise UsageError(
            f"the executor is of type {type(request.executor).__name__}; give a concurrent.futures executor"
        )


def _require_no_headers(models: Iterable[ResolvedModel]) -> None:
    """Raise `UsageError` for a model whose server gets headers, which may hold keys."""
    for model in models:
        if any("extra_headers" in each.settings for each in model.each):
            raise UsageError(
                f"{model.reference} is sent headers, which workers of an executor do not get; leave the executor out"
            )


def _warnings(columns: Sequence[Column]) -> list[str]:
    """Return what is said of the models, and of the settings that they ignore."""
    found = []
    for column in columns:
        found += [*column.model.warnings, *ignored_warnings(column.model, column.asker.settings_of)]
    return list(dict.fromkeys(found))


def _endpoints(named: Iterable[Contestant], models: Models) -> dict[str, str]:
    """Return the user's own servers that the contestants name."""
    references = [member for each in named for member in (each.model, *members_in(each.model))]
    names = {reading.provider for reference in references for reading in readings(reference)}
    return {name: models.endpoints[name] for name in names if name in models.endpoints}
