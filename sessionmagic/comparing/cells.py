"""The cells of a grid: each is one prompt, asked of one contestant for the nth time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from math import isnan
from typing import TYPE_CHECKING, Any, NamedTuple

from sessionmagic.conversation.usage import Usage
from sessionmagic.exceptions import UsageError
from sessionmagic.models.abilities import address_of
from sessionmagic.models.members import members_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sessionmagic.comparing.contestants import Contestant
    from sessionmagic.models.resolved import ResolvedModel
    from sessionmagic.turns.output_type import OutputType

KEY_BYTES = 16
PROMPTS = "give a list of texts, or a column of a DataFrame"


class Cell(NamedTuple):
    """One model request of a grid, and the place of its answer in the results."""

    row: int
    """The number of the prompt, from 0."""
    column: int
    """The number of the contestant, from 0."""
    repeat: int
    """Which answer of this contestant to this prompt it is, from 1."""
    key: bytes
    """What is asked, as a hash. Cells of equal prompts have the same key, and one answer."""


@dataclass(frozen=True, slots=True)
class CellAnswer:
    """What a model answered in a cell."""

    text: str
    model: str
    """The name that the answering model gives itself."""
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    finish_reason: str | None = None
    requests: int = 1
    """How many model requests it took, as far as they were made in this run."""


class Cells:
    """All cells of a grid, made one after the other.

    Args:
        prompts: The prompts as they are sent.
        columns: For each contestant, the hash that `identity` returns.
        repeat: How often each prompt is asked of each contestant.
    """

    def __init__(self, prompts: Sequence[str], columns: Sequence[bytes], repeat: int) -> None:
        self.prompts = prompts
        self._columns = columns
        self._repeat = repeat

    def __len__(self) -> int:
        return len(self.prompts) * len(self._columns) * self._repeat

    def __iter__(self) -> Iterator[Cell]:
        return self.of(range(len(self._columns)))

    def of(self, columns: Sequence[int]) -> Iterator[Cell]:
        """Yield the cells of some contestants, prompt by prompt, so that early prompts are answered by all of them."""
        for row, prompt in enumerate(self.prompts):
            said = blake2b(prompt.encode(errors="surrogatepass"), digest_size=KEY_BYTES).digest()
            for column in columns:
                for repeat in range(1, self._repeat + 1):
                    content = self._columns[column] + said + repeat.to_bytes(4, "big")
                    yield Cell(row, column, repeat, blake2b(content, digest_size=KEY_BYTES).digest())


def identity(
    contestant: Contestant,
    model: ResolvedModel,
    settings: Mapping[str, Any],
    system: str,
    output_type: OutputType | None = None,
) -> bytes:
    """Return a hash of all that a contestant is asked with, besides the prompt.

    Args:
        contestant: The contestant.
        model: Its model, with the settings as they are sent.
        settings: The settings as they were given. Those that the model ignores count, too: contestants that differ in
            nothing else would share an answer, and be compared with themselves.
        system: The instructions as they are sent.
        output_type: The type of structured answers; None for texts.
    """
    asked = [
        [str(each.system), str(each.model_name), address_of(each), dict(each.settings or {})]
        for each in members_of(model.model)
    ]
    sent = [dict(each.settings) for each in model.each]
    content = [contestant.model, asked, dict(settings), *sent, system, []]  # the empty list stands for the tools
    if output_type is not None:
        content.append(output_type.fingerprint)
    # A value that is not JSON counts by its type only, as its text may differ from one process to the next.
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, default=lambda value: type(value).__name__)
    return blake2b(text.encode(errors="surrogatepass"), digest_size=KEY_BYTES).digest()


def checked_prompts(prompts: Iterable[Any]) -> list[str]:
    """Return the prompts as texts. Raises `UsageError`, which names the row, for one that is missing or blank."""
    if isinstance(prompts, str | bytes | Mapping) or hasattr(
        prompts, "columns"
    ):  # iterating gives the names of columns
        raise UsageError(f"the prompts are of type {type(prompts).__name__}, not a list; {PROMPTS}")
    try:
        rows = iter(prompts)
    except TypeError:
        raise UsageError(f"the prompts are of type {type(prompts).__name__}, not a list; {PROMPTS}") from None
    checked = []
    for number, prompt in enumerate(rows):
        if not isinstance(prompt, str):
            what = "missing" if _is_missing(prompt) else f"of type {type(prompt).__name__}"
            raise UsageError(f"prompt {number} is {what}, so nothing was asked; give a text in each row")
        if not prompt.strip():
            raise UsageError(f"prompt {number} is empty, so nothing was asked; give a text in each row")
        checked.append(prompt)
    return checked


def _is_missing(value: object) -> bool:
    """Return whether a value stands for none: None, NaN, or pandas' NA, whose comparisons have no truth value."""
    return value is None or type(value).__name__ in {"NAType", "NaTType"} or (isinstance(value, float) and isnan(value))
