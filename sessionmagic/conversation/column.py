"""Where a turn stands in a comparison of models, and what users and judges say about the comparison."""

from __future__ import annotations

from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import Any, Literal

Outcome = Literal["first", "second", "tie", "both bad"]
"""Which of two answers is better."""


@dataclass(frozen=True, slots=True)
class Column:
    """Where a turn stands in a comparison of models."""

    comparison: str
    """The comparison's id, which all its turns share."""
    number: int
    """The column, counted from 1 as they are shown."""
    label: str
    """The model reference, and the settings by which the column differs from others."""
    settings: dict[str, Any] = field(default_factory=dict)
    """These settings."""
    repeat: int = 1
    """Which of the column's runs the turn is, counted from 1."""
    hidden: bool = False
    """Whether the user does not want to know yet what answers in the column."""

    @property
    def letter(self) -> str:
        """The letter of the column: A for the first one."""
        return ascii_uppercase[self.number - 1] if 1 <= self.number <= len(ascii_uppercase) else str(self.number)

    @property
    def name(self) -> str:
        """What the column is called: its label, or its letter while that is hidden."""
        return self.letter if self.hidden else self.label

    @property
    def heading(self) -> str:
        """The number and the name of the column, with the number of the run if it is not the first."""
        number = "" if self.hidden else f"{self.number}. "
        run = f" · run {self.repeat}" if self.repeat > 1 else ""
        return f"{number}{self.name}{run}"

    def __repr__(self) -> str:
        return f"Column({self.name!r}, comparison={self.comparison!r}, number={self.number}, repeat={self.repeat})"


@dataclass(frozen=True, slots=True)
class Vote:
    """The user's vote on a comparison."""

    best: str
    """The id of the best turn, ``"tie"``, or ``"bad"`` when all are bad."""
    at: float
    blind: bool = False
    """Whether the user voted without knowing which model was which."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge said about two answers of a comparison, asked in both orders."""

    judge: str
    """The reference of the judge."""
    first: str
    """The id of the turn whose answer stood first in the straight order."""
    second: str
    """The id of the other one."""
    straight: Outcome | None
    """``"first"``, ``"second"``, ``"tie"`` or ``"both bad"``; None if the answer of the judge was none of these."""
    swapped: Outcome | None
    """The same in the swapped order, where ``"first"`` means the answer of `second`."""
    criteria: str = ""
    """What makes an answer the better one, as the user has told the judge; empty for general criteria."""
