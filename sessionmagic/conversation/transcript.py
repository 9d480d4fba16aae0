"""What a view shows of a turn, as plain values. `folding` makes them from events, `stored_transcript` from messages."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.value import as_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sessionmagic.conversation.events import InputAction, ToolOutcome, TurnKind, TurnStatus
    from sessionmagic.conversation.usage import Usage


@dataclass(frozen=True, slots=True)
class TextBlock:
    """A continuous piece of the answer, as Markdown."""

    text: str
    response: int = field(default=0, compare=False)
    """Which try at a structured answer it belongs to, so that each stands apart."""


@dataclass(frozen=True, slots=True)
class ReasoningBlock:
    """A continuous piece of the model's reasoning."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolBlock:
    """A tool call: being written, waiting for a decision, running, or ended."""

    call_id: str
    tool: str
    args: dict[str, Any]
    outcome: ToolOutcome | None = None
    content: str = ""
    duration: float | None = None
    draft: str = ""
    """The JSON of the arguments as far as the model has written it; ``""`` when `args` is complete."""
    began: bool = False
    """Whether the call has begun to run. Calls of one response may wait for each other."""
    printed: str = ""
    """The end of what the running call has printed; ``""`` when it has ended, as `content` has it then."""
    lines: int = 0
    """How many lines the call has printed while it ran."""
    approval_id: str = ""
    """The id of the open approval; ``""`` when there is none."""
    why: str = ""
    """Why the call needs a decision, while the approval is open."""
    asked: Mapping[str, Any] = field(default_factory=dict)
    """The arguments to decide on, while the approval is open: `args` and the defaults of those left out."""
    preview: str = ""
    """What the call would do, where the tool can say it, while the approval is open."""
    displays: tuple[Mapping[str, Any], ...] = ()
    """What a stored call has displayed."""
    work: Transcript | None = None
    """What a sub-agent has said and done for the call; None if none has worked for it."""

    @property
    def is_running(self) -> bool:
        """Whether the call runs now."""
        return self.began and self.outcome is None


@dataclass(frozen=True, slots=True)
class ValueBlock:
    """A structured answer. One that does not fit its type is left out when another one does, and else becomes text."""

    text: str
    """Its JSON as far as the model has written it."""
    value: Any = None
    """The value as plain JSON, if it is given."""
    given: bool = False
    """Whether the answer is complete and fits its type."""
    attempt: str = ""
    response: int = field(default=0, compare=False)
    """The response that it belongs to, so that it stands apart from other tries if it becomes text."""


@dataclass(frozen=True, slots=True)
class MessageBlock:
    """A message that the user sent during the turn."""

    text: str


@dataclass(frozen=True, slots=True)
class QuestionBlock:
    """A question that an MCP server or the agent asks the user during a tool call; open while `action` is None."""

    question_id: str
    message: str
    schema: dict[str, Any]
    """The JSON schema of the answer."""
    action: InputAction | None = None
    server: str = ""
    sub_agent: str = ""
    """The sub-agent during whose call it is asked, if that is known."""


@dataclass(frozen=True, slots=True)
class SummaryBlock:
    """Earlier turns are sent as a summary from here on."""

    text: str
    """The summary; empty if it is the answer of this turn."""
    compaction: str
    """The id of the turn that holds the summary."""
    tokens_before: int
    tokens_after: int


Block = TextBlock | ReasoningBlock | ValueBlock | ToolBlock | MessageBlock | QuestionBlock | SummaryBlock


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """Everything that a view shows of a turn at one moment."""

    session: str = ""
    """The session's name."""
    waits_for_session: bool = False
    """Whether the turn has not started because its session is busy."""
    turn_id: str = ""
    kind: TurnKind = "ask"
    agent: str = ""
    model: str = ""
    prompt: str = ""
    values: tuple[str, ...] = ()
    """The expressions whose values the user has put into the prompt and the later messages."""
    notes: tuple[str, ...] = ()
    """What may surprise: where the turn stands, or that its calls run unasked."""
    remark: str = ""
    """That a stored answer is shown, if so. It is shown where it is not saved."""
    blocks: tuple[Block, ...] = ()
    warnings: tuple[str, ...] = ()
    asking: str = ""
    """Which model has failed, and which one is asked in its place, until that one has answered."""
    usage: Usage | None = None
    status: TurnStatus = "running"
    error: str | None = None
    seconds: float = 0.0
    """How long the model requests took in all, once the turn has ended."""
    first_token: float | None = None
    """Seconds from the first model request to the first piece of its response; None before that."""
    started_at: float | None = None
    finished_at: float | None = None

    @property
    def is_plan(self) -> bool:
        """Whether the answer is a plan that can be carried out."""
        return self.kind == "plan" and self.status == "completed"

    @property
    def given(self) -> ValueBlock | None:
        """The structured answer, if there is one."""
        return next((block for block in self.blocks if isinstance(block, ValueBlock) and block.given), None)

    @property
    def text(self) -> str:
        """The answer as Markdown. Texts with a tool call or reasoning between them become separate paragraphs.

        A structured answer is its JSON, and nothing else.
        """
        if self.given is not None:
            return as_text(self.given.value)
        return "\n\n".join(block.text for block in self.blocks if isinstance(block, TextBlock))

    @property
    def waits_for_an_answer(self) -> bool:
        """Whether an approval or a question is open."""
        return any(map(_waits, self.blocks))

    @property
    def all_calls(self) -> Iterator[ToolBlock]:
        """The tool calls of the turn, each followed by those of the sub-agent that has worked for it."""
        for block in self.blocks:
            if isinstance(block, ToolBlock):
                yield block
                if block.work is not None:
                    yield from block.work.all_calls

    def work_for(self, calls: Sequence[str]) -> Transcript:
        """Return the work of a sub-agent, by the ids of the calls that it works for; this transcript for none."""
        work = self
        for call_id in calls:
            calls_so_far = (block for block in work.blocks if isinstance(block, ToolBlock))
            found = next((block.work for block in reversed(list(calls_so_far)) if block.call_id == call_id), None)
            work = found or Transcript()
        return work


def _waits(block: Block) -> bool:
    match block:
        case ToolBlock():
            return bool(block.approval_id) or (block.work is not None and block.work.waits_for_an_answer)
        case QuestionBlock():
            return block.action is None
        case _:
            return False


def with_displays(transcript: Transcript, displays: Mapping[str, Sequence[Mapping[str, Any]]]) -> Transcript:
    """Return a transcript whose ended calls have displayed something, by call id, as stored calls have it."""
    if not displays:
        return transcript
    blocks = tuple(
        replace(block, displays=tuple(displays[block.call_id]))
        if isinstance(block, ToolBlock) and block.outcome is not None and displays.get(block.call_id)
        else block
        for block in transcript.blocks
    )
    return replace(transcript, blocks=blocks)


def joined(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """Return the blocks with adjacent texts of one response joined into one."""
    found: list[Block] = []
    for block in blocks:
        last = found[-1] if found else None
        if isinstance(block, TextBlock) and isinstance(last, TextBlock) and last.response == block.response:
            found[-1] = replace(last, text=last.text + block.text)
        else:
            found.append(block)
    return tuple(found)


def json_object(args: str | dict[str, Any] | None) -> dict[str, Any]:
    """Return the arguments of a tool call as a dict. If they are not a JSON object, ``"arguments"`` holds them."""
    if isinstance(args, dict):
        return args
    try:
        value = json.loads(args or "{}")
        value = json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))  # no lone surrogates
    except (ValueError, RecursionError):
        value = args
    return value if isinstance(value, dict) else {"arguments": value}
