"""Questions to the user on stdin: whether a tool call may run, and the forms of MCP servers."""

from __future__ import annotations

import re
from functools import partial
from textwrap import indent
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.events import ApprovalRequested
from sessionmagic.exceptions import UsageError
from sessionmagic.notebook.captions import asker, written
from sessionmagic.notebook.forms import LABEL_LENGTH, fields_of, filled_in
from sessionmagic.notebook.visible import one_line, visible

if TYPE_CHECKING:
    from sessionmagic.conversation.events import Decision, InputAction, InputRequested
    from sessionmagic.notebook.forms import Field
    from sessionmagic.tools.questions import Question

QUESTION = "[y]es · [t]his tool always · [a]ll always · [n]o, or why not: "
EVERYTHING = "everything"
"""The word that confirms that all calls are approved. A letter could be meant for another question."""
SURE = (
    f"calls that no rule covers then run unasked until this kernel ends; type {EVERYTHING} to allow that, "
    "or Enter to go back: "
)
MARGIN = "    "
"""Indents text of a model or server, so that it cannot be mistaken for a message of sessionmagic."""
YES = ("y", "yes")
NO = ("n", "no")
ABBREVIATED_NO = re.compile(r"^n[\s,;:]+", re.IGNORECASE)
ALMOST_YES = re.compile(r"(y|yes|always)\b", re.IGNORECASE)
ATTEMPTS = 3
"""How many times a question is asked before the call is rejected because no answer was clear."""
DECISIONS: dict[str, Decision] = {"y": "once", "yes": "once", "t": "tool", "this": "tool", "a": "all", "all": "all"}


class Stdin:
    """Says something to the user and asks for a line of input.

    Args:
        prints: Whether what is printed is shown at once. If not, it is said in the prompt of the next question.
    """

    def __init__(self, *, prints: bool = True) -> None:
        self._prints = prints
        self._unsaid = ""

    def say(self, text: str) -> None:
        """Say something before the next question."""
        if self._prints:
            print(text)
        else:
            self._unsaid += f"{text}\n"

    def ask(self, question: str) -> str:
        """Ask for a line of input, and return it without the spaces around it."""
        prompt, self._unsaid = self._unsaid + question, ""
        return input(prompt).strip()


def ask_on_stdin(request: ApprovalRequested, stdin: Stdin, column: str = "") -> tuple[Decision, str]:
    """Show a call and ask whether it may run; return the decision, and the reason of a rejection.

    Any answer other than yes rejects the call; its text, without a leading "no", is the reason. Whether all calls may
    run is asked once more.

    Args:
        request: The call.
        stdin: Where the user is asked.
        column: The column of a comparison that makes the call; empty if there is none.
    """
    stdin.say(visible(f"\n? {f'{column}: ' if column else ''}{_call_words(request)}"))
    answers = (stdin.ask(QUESTION) for _ in range(ATTEMPTS))
    answer = next((answer for answer in answers if _is_clear(answer) and _is_meant(answer, stdin)), "n")
    decision = DECISIONS.get(answer.casefold())
    if decision is not None:
        return decision, ""
    return "reject", "" if answer.casefold() in NO else ABBREVIATED_NO.sub("", answer)


def _is_clear(answer: str) -> bool:
    """Return whether an answer is a decision, or a reason: several words that do not begin with a yes."""
    return answer.casefold() in {*DECISIONS, *NO} or (" " in answer and not ALMOST_YES.match(answer))


def _is_meant(answer: str, stdin: Stdin) -> bool:
    return DECISIONS.get(answer.casefold()) != "all" or is_sure(stdin)


def is_sure(stdin: Stdin) -> bool:
    """Ask once more whether all calls may run, and return the answer."""
    return stdin.ask(SURE).casefold() == EVERYTHING


def announcement(session: str, request: ApprovalRequested | InputRequested) -> str:
    """Return a background turn's call or question that waits for an answer, and the command that answers it."""
    if isinstance(request, ApprovalRequested):
        what, how = _call_words(request), f"%agent approve {request.approval_id}   (or with --reject WHY)"
    else:
        what, how = _question_words(request), f"%agent approve {request.question_id}   (or with --reject)"
    return visible(f"\n? {session} waits for your answer: {what}\n{how}")


def _call_words(call: ApprovalRequested) -> str:
    shown = "\n".join(filter(None, [written(call.args), call.preview]))
    agent = f"{call.agent}: " if call.for_calls else ""
    return f"{agent}{call.tool} · {call.why}\n{indent(shown, MARGIN)}"


def _question_words(question: Question | InputRequested) -> str:
    return f"{asker(question.server, question.sub_agent)} asks: {indent(question.message, MARGIN).lstrip()}"


def fill_in_on_stdin(request: Question | InputRequested, stdin: Stdin) -> tuple[InputAction, dict[str, Any] | None]:
    """Show a server's question and ask for each field of its form; return the action and the content.

    A form that cannot be filled in here is declined.
    """
    stdin.say(visible(f"\n? {_question_words(request)}"))
    try:
        fields = fields_of(request.schema)
    except UsageError as error:
        stdin.say(str(error))
        return "decline", None
    while (answer := stdin.ask("[y]es, answer · [n]o: ").casefold()) not in YES:
        if answer in NO:
            return "decline", None
    return "accept", filled_in(fields, partial(_ask_field, stdin=stdin))


def _ask_field(field: Field, stdin: Stdin) -> Any:
    """Ask for a field until its value is valid. An empty line means the default, which is shown in brackets."""
    for number, choice in enumerate(field.choices, start=1):
        stdin.say(f"  {number}. {choice.title}" if field.numbered else f"  {choice.title}")
    prompt = _prompt(field)
    while True:
        text = stdin.ask(prompt)
        try:
            if field.choices and not text:
                return field.picked(field.preselected)
            return field.value(text or field.prefilled)
        except UsageError as error:
            stdin.say(str(error))


def _prompt(field: Field) -> str:
    how = "commas between" if field.several else "yes or no" if field.kind == "boolean" else ""
    hint = ", ".join(part for part in (field.hint, how) if part)
    default = ", ".join(field.choices[place].title for place in field.preselected) or field.prefilled
    parts = [
        field.label,
        " *" if field.required else "",
        f" ({hint})" if hint else "",
        f" [{one_line(default, LABEL_LENGTH)}]" if default else "",
    ]
    return f"{''.join(parts)}: "
