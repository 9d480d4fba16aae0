"""Asking on stdin what a turn wants to know: in terminals, and where buttons wait for the end of the cell."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import UsageError
from sessionmagic.notebook.forms import LABEL_LENGTH, fields_of, filled_in, one_line
from sessionmagic.notebook.visible import visible

if TYPE_CHECKING:
    from sessionmagic.events import Answer, ApprovalRequested, InputAction, InputRequested
    from sessionmagic.notebook.forms import Field

QUESTION = "[y]es · [t]his tool always · [a]ll always · [n]o, or why not: "
ANSWERS: dict[str, Answer] = {"y": "once", "yes": "once", "t": "tool", "this": "tool", "a": "all", "all": "all"}


def ask_on_stdin(request: ApprovalRequested) -> tuple[Answer, str]:
    """Show the call and ask; anything that is no yes is a rejection, and more than "no" is its reason."""
    print(visible(f"\n{request.tool} wants to run: {request.why}\n{_written(request.args)}"))
    said = input(QUESTION).strip()
    answer = ANSWERS.get(said.casefold())
    if answer is not None:
        return answer, ""
    return "reject", "" if said.casefold() in {"n", "no"} else said


def _written(args: dict[str, object]) -> str:
    code = args.get("code")
    if isinstance(code, str):
        args = {name: value for name, value in args.items() if name != "code"}
    rest = json.dumps(args, indent=2, ensure_ascii=False, default=str) if args else ""
    return "\n".join(part for part in (code, rest) if isinstance(part, str) and part)


def fill_in_on_stdin(request: InputRequested) -> tuple[InputAction, dict[str, Any] | None]:
    """Show what a server asks, and fill in its form field by field, or decline."""
    print(visible(f"\n{request.server} asks: {request.message}"))
    try:
        fields = fields_of(request.schema)
    except UsageError as error:
        print(error)
        return "decline", None
    if input("[y]es, answer · [n]o: ").strip().casefold() not in {"y", "yes"}:
        return "decline", None
    return "accept", filled_in(fields, _asked)


def _asked(field: Field) -> Any:
    """Ask for one value until it is one; an empty line stands for the default, which is shown in brackets."""
    for number, choice in enumerate(field.choices, start=1):
        print(f"  {number}. {choice.title}" if field.numbered else f"  {choice.title}")
    how = "commas between" if field.several else "yes or no" if field.kind == "boolean" else ""
    hint = ", ".join(part for part in (field.hint, how) if part)
    default = ", ".join(field.choices[place].title for place in field.preselected) or field.prefilled
    prompt = "".join(
        [
            field.label,
            " *" if field.required else "",
            f" ({hint})" if hint else "",
            f" [{one_line(default, LABEL_LENGTH)}]" if default else "",
            ": ",
        ]
    )
    while True:
        text = input(prompt).strip()
        try:
            if field.choices and not text:
                return field.picked(field.preselected)
            return field.value(text or field.prefilled)
        except UsageError as error:
            print(error)
