"""Rules and safety modes, which decide whether a tool call runs, needs approval or is denied.

The first of the following that applies to a call decides. The order is docker-agent's.

1. A deny rule, of the session or of the agents file, or an agent or a plan that may only read: the call is denied.
2. The turn was approved in advance (``--yes``): the call runs.
3. A rule of the session: an allow rule before an ask rule.
4. A rule of the agents file: an allow rule before an ask rule. Its allow rules do not hold for tools that run code.
5. The user has approved everything until this kernel ends: the call runs.
6. The session's safety mode.

When nobody can give an approval, a call that needs one is denied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from sessionmagic.exceptions import UsageError
from sessionmagic.tools.rule_patterns import allows, fits_tool, matches, split_pattern
from sessionmagic.words import suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sessionmagic.tools.call import Call

Verdict = Literal["allow", "ask", "deny"]
Safety = Literal["strict", "balanced", "restricted", "autonomous"]
"""What happens to a call that no rule covers.

- ``strict``: every call needs approval.
- ``balanced``: calls of read-only tools run; all calls of other tools need approval.
- ``restricted``: calls of read-only tools run; all calls of other tools are denied.
- ``autonomous``: every call runs.
"""
Offers = Literal["", "kernel", "none"]
"""Which tools a turn in a notebook offers.

``"kernel"`` is the usual ones and the kernel's, whatever its setting says; ``"none"`` only those that the turn names;
``""`` the usual ones.
"""

SAFETIES: tuple[Safety, ...] = get_args(Safety)
OFFERS: tuple[Offers, ...] = get_args(Offers)
VERDICTS: tuple[Verdict, ...] = ("deny", "allow", "ask")
"""The verdicts of rules, the strongest first: within one set of rules, deny beats allow, and allow beats ask."""

STRICTER: dict[Safety, tuple[Safety, ...]] = {
    "autonomous": ("balanced", "strict", "restricted"),
    "balanced": ("strict", "restricted"),
}
"""For each safety mode, those that permit less."""

Rules = dict[str, list[str]]
"""A set of rules: lists of patterns by verdict. `tools.rule_patterns` says which calls a pattern matches."""


@dataclass(frozen=True, slots=True)
class Permissions:
    """What a session permits: its rules, the safety mode for calls that no rule covers, and which tools it offers."""

    rules: Rules
    safety: Safety
    tools: Offers = ""
    """What its turns in notebooks offer, if they do not say it themselves."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """Whether a call runs, needs approval or is denied."""

    verdict: Verdict
    why: str
    """The reason, for the user and the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one turn may do before it is stopped."""

    requests: int = 50
    """How many model requests it may make."""
    tool_calls: int = 50
    """How many tool calls it may make, including those that are denied or fail."""
    repeats: int = 5
    """How many calls in a row of one tool, with the same arguments, stop the turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything that decides over the tool calls of a turn.

    Args:
        session: The session's rules.
        file: The rules of the agents file.
        safety: The safety mode, for calls that no rule covers.
        attended: Whether a user can approve calls. If not, calls that need approval are denied.
        remedy: What makes calls wait for approval where they are denied because nobody can approve them, if anything.
        yes: Whether all calls of the turn were approved in advance. Deny rules still apply.
        everything: Whether the user has approved all calls of the session that no rule covers, until this kernel ends.
        readonly: Why only tools that change nothing may be called; empty if others may be, too.
    """

    session: Rules
    file: Rules
    safety: Safety = "balanced"
    attended: bool = True
    remedy: str = ""
    yes: bool = False
    everything: bool = False
    readonly: str = ""

    def rule_on(self, call: Call) -> Ruling:
        """Return whether the call runs, needs approval or is denied, and why."""
        ruling = self._ruling_if_attended(call)
        if ruling.verdict == "ask" and not self.attended:
            why = f"{ruling.why}, and nobody is available to approve the call"
            return Ruling("deny", f"{why}; {self.remedy}" if self.remedy else why)
        return ruling

    def never_allows(self, tool: str) -> bool:
        """Return whether a deny rule denies every call of a tool, whatever its arguments."""
        patterns = (pattern for rules in (self.session, self.file) for pattern in rules.get("deny", ()))
        return any(fits_tool(pattern, tool) and not split_pattern(pattern)[1] for pattern in patterns)

    def _ruling_if_attended(self, call: Call) -> Ruling:
        sets = {"the session": self.session, "the agents file": self.file}
        for owner, rules in sets.items():
            if pattern := _matching(rules, "deny", call):
                return Ruling("deny", f"{owner} has a deny rule for {pattern}")
        if self.readonly and not call.read_only:
            return Ruling("deny", f"the tool may change something, and {self.readonly}")
        if self.yes:
            return Ruling("allow", "all calls of this turn were approved in advance")
        for owner, rules in sets.items():
            allows_it = rules is self.session or not call.runs_code
            if allows_it and (pattern := _matching(rules, "allow", call)):
                return Ruling("allow", f"{owner} has an allow rule for {pattern}")
            if pattern := _matching(rules, "ask", call):
                return Ruling("ask", f"{owner} has an ask rule for {pattern}")
        if self.everything:
            return Ruling("allow", "everything was approved until this kernel ends")
        return self._by_safety(call)

    def _by_safety(self, call: Call) -> Ruling:
        match self.safety:
            case "autonomous":
                return Ruling("allow", "the session's safety mode is autonomous")
            case "strict":
                return Ruling("ask", "the session's safety mode is strict")
            case _ if call.read_only:
                return Ruling("allow", "the tool is read-only")
            case "restricted":
                return Ruling("deny", "the tool may change something, and the session's safety mode is restricted")
            case "balanced":
                return Ruling("ask", "the tool may change something")


def with_rule(rules: Rules, verdict: Verdict, pattern: str) -> Rules:
    """Return the rules with this pattern under this verdict, and under no other.

    Raises `UsageError` for a pattern without a tool.
    """
    if not pattern.partition(":")[0].strip():
        raise UsageError(f"{pattern!r} does not name a tool; write a pattern such as run_* or read:path=*.csv")
    kept = _without(rules, pattern)
    return kept | {verdict: [*kept.get(verdict, []), pattern]}


def with_grant(rules: Rules, tool: str) -> Rules:
    """Return the rules with an allow rule for a tool. A deny rule that covers the tool still wins."""
    allowed = rules.get("allow", [])
    return rules if tool in allowed else rules | {"allow": [*allowed, tool]}


def with_rules(rules: Rules, changes: Mapping[str, Verdict | None]) -> Rules:
    """Return the rules with new verdicts by pattern. None as the verdict removes the rule, if it exists.

    Raises `UsageError` for a pattern without a tool.
    """
    for pattern, verdict in changes.items():
        rules = with_rule(rules, verdict, pattern) if verdict else _without(rules, pattern)
    return rules


def without_rule(rules: Rules, pattern: str) -> Rules:
    """Return the rules without this pattern, whatever its verdict. Raises `UsageError` when no rule has it."""
    known = [pattern for _, pattern in rule_list(rules)]
    if pattern not in known:
        advice = suggestion(pattern, known, "%agent permissions lists the rules")
        raise UsageError(f"no rule with the pattern {pattern!r}{advice}")
    return _without(rules, pattern)


def _without(rules: Rules, pattern: str) -> Rules:
    return {verdict: [kept for kept in patterns if kept != pattern] for verdict, patterns in rules.items()}


def safety_of(word: str) -> Safety:
    """Return the safety mode with that name. Raises `UsageError` when there is none."""
    for safety in SAFETIES:
        if word == safety:
            return safety
    advice = suggestion(word, SAFETIES, f"use one of {', '.join(SAFETIES)}")
    raise UsageError(f"{word!r} is not a safety mode{advice}")


def _matching(rules: Rules, verdict: Verdict, call: Call) -> str | None:
    fits = allows if verdict == "allow" else matches
    return next((pattern for pattern in rules.get(verdict, ()) if fits(pattern, call)), None)


def rule_list(rules: Rules) -> Sequence[tuple[Verdict, str]]:
    """Return all patterns with their verdicts, the strongest verdict first."""
    return [(verdict, pattern) for verdict in VERDICTS for pattern in rules.get(verdict, ())]
