"""Whether a tool call may run: rules first, then the safety mode. Pure.

The order is docker-agent's: a deny rule wins wherever it stands, then the session's rules, then the agents file's,
then the safety mode. Within one set, deny beats allow beats ask.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal, get_args

from sessionmagic.exceptions import UsageError
from sessionmagic.words import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Verdict = Literal["allow", "ask", "deny"]
Safety = Literal["strict", "balanced", "restricted", "autonomous"]
"""strict asks for every call; balanced runs what is read-only and asks for the rest; restricted runs what is
read-only and denies the rest without asking; autonomous runs everything."""

SAFETIES: tuple[Safety, ...] = get_args(Safety)
VERDICTS: tuple[Verdict, ...] = ("deny", "allow", "ask")
"""In the order in which they win within one set of rules."""

Rules = dict[str, list[str]]
"""Patterns by verdict. A pattern is a glob on the tool's name, then `:argument=glob` for each argument that must
match too; capitals do not count."""

_CONDITION = re.compile(r":(?=[\w.-]+=)")


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call that wants to run."""

    tool: str
    args: Mapping[str, Any]
    """As the model wrote them."""
    read_only: bool = False
    meant: Mapping[str, Any] = field(default_factory=dict)
    """Its arguments as the tool gets them: a text that says a number may have become one. Plain values."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What is done with a call, and why, in words for the user and the model."""

    verdict: Verdict
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one turn may do."""

    requests: int = 50
    """Model requests."""
    tool_calls: int = 50
    repeats: int = 5
    """How often the same tool may be called with the same arguments, one time after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """All that decides over a turn's calls.

    Args:
        session: the session's rules.
        file: the agents file's rules.
        safety: what happens to calls that no rule names.
        attended: whether there is somebody to ask. When not, what would ask is denied.
        yes: whether every call of the turn was approved beforehand; deny rules stand.
    """

    session: Rules
    file: Rules
    safety: Safety = "balanced"
    attended: bool = True
    yes: bool = False

    def rule_on(self, call: Call) -> Ruling:
        """Return what is to be done with the call."""
        ruling = self._wanted(call)
        if ruling.verdict == "ask" and not self.attended:
            return Ruling("deny", f"{ruling.why}, and there is nobody to ask")
        return ruling

    def _wanted(self, call: Call) -> Ruling:
        sets = {"the session": self.session, "the agents file": self.file}
        for owner, rules in sets.items():
            if pattern := _matching(rules, "deny", call):
                return Ruling("deny", f"{owner} denies {pattern}")
        if self.yes:
            return Ruling("allow", "every call of this turn was approved")
        for owner, rules in sets.items():
            if pattern := _matching(rules, "allow", call):
                return Ruling("allow", f"{owner} allows {pattern}")
            if pattern := _matching(rules, "ask", call):
                return Ruling("ask", f"{owner} asks for {pattern}")
        return self._by_safety(call)

    def _by_safety(self, call: Call) -> Ruling:
        match self.safety:
            case "autonomous":
                return Ruling("allow", "the session is autonomous")
            case "strict":
                return Ruling("ask", "the session is strict")
            case _ if call.read_only:
                return Ruling("allow", "it only reads")
            case "restricted":
                return Ruling("deny", "it may change something, and the session is restricted")
            case "balanced":
                return Ruling("ask", "it may change something")


def with_rule(rules: Rules, verdict: Verdict, pattern: str) -> Rules:
    """Add a pattern, and take it away from where it stood before. Raises `UsageError` for an empty one."""
    if not pattern.partition(":")[0].strip():
        raise UsageError(f"{pattern!r} names no tool: write a glob such as run_* or read:path=*.csv")
    kept = _without(rules, pattern)
    return kept | {verdict: [*kept.get(verdict, []), pattern]}


def with_grant(rules: Rules, tool: str) -> Rules:
    """Allow a tool from now on; a rule that denies it stays, and wins."""
    allowed = rules.get("allow", [])
    return rules if tool in allowed else rules | {"allow": [*allowed, tool]}


def without_rule(rules: Rules, pattern: str) -> Rules:
    """Take a pattern away, wherever it stands; raises `UsageError` when it is not there."""
    known = [pattern for _, pattern in described(rules)]
    if pattern not in known:
        raise UsageError(f"there is no rule {pattern!r}.{did_you_mean(pattern, known)}")
    return _without(rules, pattern)


def _without(rules: Rules, pattern: str) -> Rules:
    return {verdict: [kept for kept in patterns if kept != pattern] for verdict, patterns in rules.items()}


def safety_of(word: str) -> Safety:
    """Return the safety mode of that name; raises `UsageError`."""
    for safety in SAFETIES:
        if word == safety:
            return safety
    raise UsageError(f"no safety mode {word!r}.{did_you_mean(word, SAFETIES)} There are {', '.join(SAFETIES)}")


def _matching(rules: Rules, verdict: Verdict, call: Call) -> str | None:
    return next((pattern for pattern in rules.get(verdict, ()) if matches(pattern, call)), None)


def matches(pattern: str, call: Call) -> bool:
    """Say whether a pattern fits a call: its tool, and every argument that it names, as written or as meant."""
    conditions = parted(pattern)[1]
    return fits_tool(pattern, call.tool) and all(_holds(*condition, call) for condition in conditions)


def fits_tool(pattern: str, tool: str) -> bool:
    """Say whether a pattern fits calls of a tool with some arguments."""
    return _glob(parted(pattern)[0], tool)


def parted(pattern: str) -> tuple[str, list[tuple[str, str]]]:
    """Return a pattern's glob on the tool's name, and those on arguments with their names; one may have several."""
    tool, *conditions = _CONDITION.split(pattern)
    return tool, [(argument, glob) for argument, _, glob in (condition.partition("=") for condition in conditions)]


def _holds(argument: str, glob: str, call: Call) -> bool:
    return any(argument in args and _glob(glob, _written(args[argument])) for args in (call.args, call.meant))


def _written(value: object) -> str:
    if value is None or isinstance(value, dict | list | bool | int | float):
        return json.dumps(value, ensure_ascii=False, default=str, skipkeys=True)
    return str(value)


def _glob(pattern: str, text: str) -> bool:
    return fnmatchcase(text.casefold(), pattern.casefold())


def described(rules: Rules) -> Sequence[tuple[Verdict, str]]:
    """Return all patterns with their verdicts, in the order in which they win."""
    return [(verdict, pattern) for verdict in VERDICTS for pattern in rules.get(verdict, ())]
