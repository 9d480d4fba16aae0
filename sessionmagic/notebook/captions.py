"""Plain-text captions about a turn, for the page and the terminal. Callers escape them."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sessionmagic.agents.definition import ASSISTANT
from sessionmagic.conversation.sub_agents import HAND_OVER
from sessionmagic.conversation.transcript import ReasoningBlock, TextBlock, ToolBlock, ValueBlock
from sessionmagic.conversation.usage import Usage
from sessionmagic.conversation.value import value_text
from sessionmagic.notebook.activity import activity
from sessionmagic.notebook.excerpts import cut
from sessionmagic.notebook.figures import UNKNOWN, counted_tokens, duration, money
from sessionmagic.notebook.visible import visible
from sessionmagic.words import counted, shortened, typed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sessionmagic.conversation.transcript import Block, QuestionBlock, SummaryBlock, Transcript

LINE_LENGTH = 80
"""Characters of a line; longer lines are broken where possible."""
VALUES_LENGTH = 200
"""Characters of the expressions that `values_line` lists. The session stores all of them."""
NOTE_BEGINS = " · "
"""Stands between an expression and the note of how much of its value is sent."""
CHARACTERS_PER_TOKEN = 4
"""An estimate, for the tokens of a request that the provider has not counted yet."""

OUTCOMES = {
    "success": ("✓", ""),
    "failed": ("✗", "failed"),
    "denied": ("⊘", "not run"),
    "retried": ("✗", "invalid call"),
    "interrupted": ("■", "interrupted"),
}
"""The mark of each outcome of a tool call, and the words for all but success."""
ACTIONS = {
    None: ("?", "waits for your answer"),
    "accept": ("✓", "answered"),
    "decline": ("⊘", "declined"),
    "cancel": ("■", "not answered"),
}
"""The mark and the words for each state of a server's question; None is an open one."""
THE_AGENT = "the agent"
"""Who asks a question that no MCP server asks."""
NOT_STARTED = "the turn did not start"
"""What stands below the reason why a turn did not start."""
PLAN = "▤ plan: nothing was changed"
"""The mark of an answer that is a plan."""
ENDINGS = {"interrupted": "interrupted", "failed": "failed", "limit": "stopped at a limit"}
"""The words for each status of a turn that did not complete."""


def status_line(transcript: Transcript, session: str, model: str, opened_at: float) -> str:
    """Return the session, model, elapsed time, tokens and current activity of a running turn.

    The token count is an estimate, marked with `~`, where more text has arrived than the provider has counted.
    `opened_at` is a time of the monotonic clock.
    """
    named = [transcript.session or session, agent_named(transcript), transcript.model or model]
    parts = [*named, f"{time.monotonic() - opened_at:.0f} s"]
    so_far = transcript.usage.output_tokens if transcript.usage else 0
    texts = [block.text for block in transcript.blocks if isinstance(block, TextBlock | ReasoningBlock | ValueBlock)]
    estimated = sum(map(len, texts)) // CHARACTERS_PER_TOKEN
    if so_far or estimated:
        parts.append(f"~{counted(estimated, 'token')}" if estimated > so_far else counted(so_far, "token"))
    return " · ".join(part for part in [*parts, activity(transcript)] if part)


def agent_named(transcript: Transcript) -> str:
    """Return the name of the agent that answers, which is not worth a word if it is the built-in one."""
    return "" if transcript.agent == ASSISTANT else transcript.agent


def run_line(transcript: Transcript, opened_at: float, *, ended: bool = False) -> str:
    """Return the time, tokens and activity of a run of a comparison, and how long its first text took.

    At its end, return how it ended and its figures.

    `opened_at` is a time of the monotonic clock.
    """
    if not ended:
        line = status_line(replace(transcript, session="", agent="", model=""), "", "", opened_at)
        first = transcript.first_token
        return line if first is None else f"{line} · first text after {duration(first)}"
    facts = footer(replace(transcript, session="", turn_id="", agent="", model=""))
    return " · ".join(filter(None, [ENDINGS.get(transcript.status, transcript.status), facts]))


def tool_line(block: ToolBlock) -> str:
    """Return a tool call's state or outcome in one line, with the other agent that it asks."""
    called = f"{block.tool} · {other}" if (other := _other_agent(block)) else block.tool
    if block.outcome is not None:
        mark, words = OUTCOMES[block.outcome]
        took = f" · {duration(block.duration)}" if block.duration is not None else ""
        return f"{mark} {called}{took}{f' · {words}' if words else ''}"
    if block.approval_id:
        return f"? {called} · waits for your answer"
    if block.draft:
        return f"… {called} · {counted(len(block.draft), 'character')}"
    return f"… {called}"


def _other_agent(block: ToolBlock) -> str:
    if block.work is not None:
        return block.work.agent
    agent = block.args.get("agent") if block.tool == HAND_OVER and block.outcome == "success" else ""
    return shortened(agent) if isinstance(agent, str) else ""


def work_footer(work: Transcript) -> str:
    """Return who has done the work for a call, and what it has cost."""
    return footer(replace(work, session=""))


def question_line(block: QuestionBlock) -> str:
    """Return a question and its state."""
    mark, words = ACTIONS[block.action]
    return f"{mark} {asker(block.server, block.sub_agent, kind='')} asks: {cut(block.message)} · {words}"


def summary_line(block: SummaryBlock) -> str:
    """Return in one line that earlier turns are sent as a summary."""
    tokens = f"about {block.tokens_before:,} → {counted(block.tokens_after, 'token')}"
    where = f"summary in turn {block.compaction}" if block.text else "earlier turns are kept"
    return f"history compacted: {tokens}; {where}"


def ending(transcript: Transcript) -> str:
    """Return how a turn ended, and why, if it did not complete; empty for any other turn."""
    words = ENDINGS.get(transcript.status)
    if words is None:
        return ""
    return f"■ {words}: {transcript.error}" if transcript.error else f"■ {words}"


def footer(transcript: Transcript) -> str:
    """Return the session, the turn, the model that answered, the tokens in and out, the cost, and the model's time.

    All of it is stored with the turn, so the footer of an answer that is shown again is the same.
    """
    usage = transcript.usage or Usage()
    turn = f"turn {transcript.turn_id}" if transcript.turn_id else ""
    parts = [transcript.session, turn, agent_named(transcript), transcript.model]
    if usage.tokens:
        parts.append(counted_tokens(usage))
    if usage != Usage():  # a request that was refused costs nothing
        parts.append(f"cost {UNKNOWN}" if money(usage) == UNKNOWN else money(usage))
    if transcript.seconds:
        parts.append(duration(transcript.seconds))
    return " · ".join(part for part in parts if part)


def plan_line(transcript: Transcript) -> str:
    """Return that an answer is a plan, and what carries it out; empty for any other one."""
    if not transcript.is_plan:
        return ""
    named = f" -s {typed(transcript.session)}" if transcript.session else ""
    return visible(f"{PLAN}; %agent go{named} carries it out")


def notes_line(transcript: Transcript) -> str:
    """Return where the turn stands in its session, if that may surprise; empty for any other turn."""
    return visible(" · ".join(transcript.notes))


def values_line(transcript: Transcript) -> str:
    """Return the expressions whose values the user has sent, in one short line; empty if there are none."""
    shown: list[str] = []
    for expression in map(_value_shown, transcript.values):
        if shown and len(", ".join([*shown, expression])) > VALUES_LENGTH:
            break
        shown.append(expression)
    left = len(transcript.values) - len(shown)
    return f"values: {', '.join(shown)}{f' and {left:,} more' if left else ''}" if shown else ""


def _value_shown(value: str) -> str:
    expression, _, note = value.partition(NOTE_BEGINS)
    shown = shortened(" ".join(expression.split()))
    return f"{shown} ({note})" if note else shown


def settings_line(settings: Mapping[str, Any], system: str) -> str:
    """Return settings and instructions in one line, as they are typed; empty if there are none."""
    from sessionmagic.models.settings import as_typed

    written = [as_typed(settings), f"--system {shortened(' '.join(system.split()))!r}" if system else ""]
    return " ".join(part for part in written if part)


def footer_lines(transcript: Transcript) -> list[str]:
    """Return the lines below an answer: that it is a plan, its notes and values, and the footer; at least one line."""
    lines = filter(None, [plan_line(transcript), notes_line(transcript), values_line(transcript), footer(transcript)])
    return list(lines) or [NOT_STARTED]


def answer_text(
    transcript: Transcript,
    part: Sequence[Block] | None = None,
    *,
    with_ending: bool = True,
    prose: Callable[[str], str] = visible,
) -> str:
    """Return the Markdown of an answer, cut and with control characters visible.

    If there is none, return how the turn ended, else its calls and warnings.

    Args:
        transcript: The turn.
        part: The blocks of one part of the answer; by default all of them.
        with_ending: Whether the part is the last.
        prose: Makes Markdown safe to print. A structured answer is none, but an aligned table.
    """
    blocks = transcript.blocks if part is None else part
    said = [block for block in blocks if isinstance(block, TextBlock | ValueBlock)]
    if text := cut("\n\n".join(map(_said, said))):
        return visible(text) if any(isinstance(block, ValueBlock) for block in said) else prose(text)
    lines = [tool_line(block) for block in blocks if isinstance(block, ToolBlock)]
    warnings = transcript.warnings if with_ending else ()
    return visible((ending(transcript) if with_ending else "") or cut("\n".join([*lines, *warnings])))


def _said(block: TextBlock | ValueBlock) -> str:
    return value_text(block.value) if isinstance(block, ValueBlock) and block.given else block.text


def asker(server: str, sub_agent: str, kind: str = "MCP server ") -> str:
    """Return who asks a question, with the sub-agent for whose call a server does."""
    if not server:
        return sub_agent or THE_AGENT
    return f"{kind}{server}{f' (for {sub_agent})' if sub_agent else ''}"


def written(args: Mapping[str, Any]) -> str:
    """Return a call's arguments as text: the code unchanged, then the other arguments as JSON."""
    return "\n".join(filter(None, code_and_rest(args)))


def code_and_rest(args: Mapping[str, Any]) -> tuple[str, str]:
    """Return the argument `code` of a call, and its other arguments as JSON; each is empty if there is none."""
    code = args.get("code")
    if not isinstance(code, str):
        return "", _json(args) if args else ""
    # Python also ends a line at a carriage return. If one were shown as a character instead, the code after it would
    # look like part of a comment.
    code = code.replace("\r\n", "\n").replace("\r", "\n")
    rest = {name: value for name, value in args.items() if name != "code"}
    return code, _json(rest) if rest else ""


def _json(value: object) -> str:
    """Return arguments as JSON on one line, or indented if that line is too long."""
    line = json.dumps(value, ensure_ascii=False, default=str)
    return line if len(line) <= LINE_LENGTH else json.dumps(value, ensure_ascii=False, default=str, indent=2)
