"""The options of a ``%%agent`` cell, and their manual."""

from __future__ import annotations

import argparse
import math
import re
from typing import Any

from sessionmagic.exceptions import UsageError
from sessionmagic.models.references import NAMED_IN_A_LINE
from sessionmagic.notebook.arguments import LineParser
from sessionmagic.words import shortened

FOR_AGENT = re.compile(f"(?P<agent>{NAMED_IN_A_LINE})=(?P<model>.+)", re.DOTALL)
"""A model for one agent of a file."""
MANUAL = """Send the cell to an agent session. The answer streams under the cell, and the session remembers it.

    %%agent --model local --session churn
    Name three features that often leak the label in a churn model.

$`expression` in the prompt is replaced by its value; every other character is sent unchanged. --raw sends all as typed.
In options, {expression} and $name are replaced too: --session {month} --model $model. {{month}} is the text itself.
A session keeps its model until you choose another. With --once, a model answers one turn only.
_agent is the latest result: str(_agent) is the answer; it also has .value .usage .cost .model .turn .session .messages.

%agent lists the subcommands for sessions, models and tools.
%config AgentMagics shows the defaults; %config AgentMagics.model = "REF" sets one.
"""


def _parser() -> LineParser:
    parser = LineParser("%%agent", MANUAL)
    add_turn_options(parser)
    add = parser.add_argument
    add(
        "--fresh", action="store_true",
        help="at this kernel's first cell on the session, start the session anew; its turns stay stored",
    )  # fmt: skip
    add_cell_options(parser)
    add(
        "--plan", action="store_true",
        help="let the model only read and propose a plan: no tool that may change something runs; %%agent go carries "
        "it out",
    )  # fmt: skip
    add(
        "--compare", action="extend", nargs="+", default=[], metavar="REF",
        help="ask each of these models; their answers stand side by side",
    )  # fmt: skip
    add("--repeat", type=int, default=1, metavar="N", help="with --compare: ask each model N times")
    add(
        "--vary", action="extend", nargs="+", default=[], metavar="NAME=A,B",
        help="with --compare: a column for each value of a setting, such as temperature=0,0.7 effort=low,high",
    )  # fmt: skip
    add("--blind", action="store_true", help="with --compare: columns A, B, C in random order, until %%agent reveal")
    add("--judge", default="", metavar="REF", help="with --compare: this model says which answers are better")
    add("--criteria", default="", metavar="TEXT", help="what makes an answer better, for --judge")
    return parser


def add_turn_options(parser: LineParser) -> None:
    """Add the options of whatever asks one model: ``%%agent``, ``%agent fix``, ``%agent go``."""
    parser.set_defaults(reuse=False, background=False, type="", fresh=False, plan=False)
    add = parser.add_argument
    add(
        "-m", "--model", default="", nargs="+", action=ModelOption, metavar="REF",
        help="the session's model from now on: provider:model, local, local:path.gguf, replay:NAME, several with "
        "commas, or default to use the default; AGENT=REF, also several, for the agents of a file",
    )  # fmt: skip
    parser.set_defaults(models={})
    add("--once", action="store_true", help="use --model for this turn only")
    parser.add_as_typed(
        "--system", metavar="TEXT",
        help='instructions for this turn, in place of the session\'s; "" for none',
    )  # fmt: skip
    add(
        "--set", action="extend", nargs="+", default=[], metavar="NAME=VALUE",
        help="settings of the model for this turn: temperature=0 seed=7 max_tokens=500 effort=low",
    )  # fmt: skip
    add(
        "-s", "--session", default="", metavar="NAME",
        help="session to continue, created if it does not exist; default: the active one, or the notebook's own",
    )  # fmt: skip
    add(
        "-a", "--agent", default="", metavar="NAME",
        help="the agent that answers, from now on; %%agent agents lists those of the agents file",
    )  # fmt: skip
    add("--new", action="store_true", help="start a new session and make it the active one")
    add(
        "--wait", nargs="?", type=float, const=math.inf, default=0.0, metavar="SECONDS",
        help="wait for a busy session instead of failing, at most SECONDS if given",
    )  # fmt: skip
    add("-o", "--out", default="", metavar="VAR", help="assign the result to the variable VAR")
    add(
        "-t", "--tools", action="append", default=[], metavar="NAMES",
        help="your functions that the model may call, separated by commas; may be repeated",
    )  # fmt: skip
    add(
        "--no-tools", dest="offers", action="store_const", const="none", default="",
        help="offer the model no tools in this turn but those of --tools, which makes its requests shorter",
    )  # fmt: skip
    add(
        "--kernel-tools", dest="offers", action="store_const", const="kernel",
        help="offer the tools that inspect and run code, also where AgentMagics.kernel_tools is False",
    )  # fmt: skip
    add(
        "--budget", metavar="USD",
        help="what all model requests of the session may cost in dollars, in later turns too; further ones are refused",
    )  # fmt: skip
    add("--yes", action="store_true", help="approve every tool call of this turn; deny rules still apply")
    add(
        "--live-tools", action="store_true",
        help="with a replayed model: run the tools instead of showing their recorded results, which are not compared",
    )  # fmt: skip
    add(
        "--attach", action="append", default=[], metavar="EXPR",
        help="send a file (image, PDF, text) or a value (figure, image, DataFrame); may be repeated",
    )  # fmt: skip
    add(
        "--value-limit", type=int, metavar="N",
        help="at most N characters of each value in the prompt or attached; default: AgentMagics.value_limit",
    )  # fmt: skip
    add("--raw", action="store_true", help="send the prompt and --system as typed, with no values in them")
    add(
        "--send-keys", action="store_true",
        help="send the keys and passwords in this turn's content to the model; they are still not stored or shown",
    )  # fmt: skip
    add(
        "--timeout", type=float, metavar="SECONDS",
        help="fail the turn after SECONDS, not counting the time it waits for you; 0: never",
    )  # fmt: skip


def add_cell_options(parser: LineParser) -> None:
    """Add the options of what asks for an answer that is nothing but shown: ``%%agent``, ``%agent go``."""
    add = parser.add_argument
    add("--reuse", action="store_true", help="show the stored answer instead of asking, if nothing has changed")
    add("-b", "--background", action="store_true", help="return at once; the answer keeps streaming")
    add(
        "--type", default="", metavar="EXPR",
        help="ask for a value of a type: a pydantic model, a dataclass, a TypedDict, list[int]; _agent.value has it",
    )  # fmt: skip


class ModelOption(argparse.Action):
    """Takes one reference, as ``model``, or references by the names of agents, as ``models``."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002  argparse calls it so
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,  # noqa: ARG002
    ) -> None:
        """Take the words after the option. Raises `UsageError` if they are neither."""
        pairs = [FOR_AGENT.fullmatch(value) for value in values]
        if all(pairs):
            for pair in filter(None, pairs):
                if pair["agent"] in namespace.models:
                    raise UsageError(f"{shortened(pair['agent'])} is given two models; give it one")
                namespace.models = {**namespace.models, pair["agent"]: pair["model"]}
        elif len(values) == 1:
            namespace.model = values[0]
        else:
            more = " ".join(values[1:])
            raise UsageError(
                f"{shortened(more)!r} follows the model {shortened(values[0])!r}; the prompt comes below this line, "
                "and models of several agents are written as AGENT=MODEL AGENT=MODEL"
            )


def check_comparison(options: argparse.Namespace) -> None:
    """Raise `UsageError` for options that do not go together with ``--compare``, or need it."""
    needs = {
        "--repeat": options.repeat != 1,
        "--vary": options.vary,
        "--blind": options.blind,
        "--judge": options.judge,
    }
    clashes = {
        "--model": options.model or options.models,
        "--once": options.once,
        "--reuse": options.reuse,
        "--plan": options.plan,
    }
    for name, given in (clashes if options.compare else needs).items():
        if given:
            how = "does not go with --compare; leave it out" if options.compare else "needs --compare MODEL MODEL"
            raise UsageError(f"{name} {how}")
    if options.criteria and not options.judge:
        raise UsageError("--criteria needs --judge MODEL")


CELL_LINE = _parser()
"""The parser of a ``%%agent`` line. Its help is the manual."""
