"""What people type first is answered with what to type."""

import re
from unittest.mock import Mock

import pytest

from sessionmagic.exceptions import UsageError
from sessionmagic.notebook.cell_line import CELL_LINE
from sessionmagic.notebook.commands import COMMANDS, run_command
from sessionmagic.notebook.context import NotebookContext
from sessionmagic.notebook.hints import SUBCOMMANDS
from sessionmagic.notebook.settings import Settings


@pytest.fixture
def context(manager):
    context = NotebookContext(Mock(kernel=None, user_ns={}), Settings())
    context._manager = manager
    return context


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("list", "'list' is not a subcommand; %agent sessions lists the sessions"),
        ("clear", "'clear' is not a subcommand; %%agent --new starts a new session, and %agent reset NAME empties one"),
        ("history", "'history' is not a subcommand; %agent show shows the turns of a session"),
        ("chat", "'chat' is not a subcommand; a prompt is the text of a cell that begins with %%agent"),
        ("Ask what is this", "'Ask' is not a subcommand; a prompt is the text of a cell that begins with %%agent"),
        ("hello there", "is not a subcommand; %agent lists them all, and a prompt is the text of a cell that begins"),
        ("sesions", "'sesions' is not a subcommand; did you mean 'sessions'?"),
        ("reset", "%agent reset needs SESSION; write %agent reset SESSION"),
        ("export", "%agent export needs [SESSION] FILE; write %agent export [SESSION] FILE"),
        ("compare", "%agent compare needs --prompts and --models; write %agent compare --prompts EXPR --models REF"),
        ("diff a", "%agent diff needs [NAME][@TURN]; write %agent diff [NAME][@TURN] [NAME][@TURN]"),
        ("fork a b", "'b' has no option before it; %agent fork --help shows which words it takes"),
        ("set --temperature 0", "--temperature is not an option; write %agent set temperature=VALUE"),
        ("set --system-prompt x", "--system-prompt is not an option; write %agent set --system TEXT"),
        ("config model=x", "'model=x' has no option before it; %agent config takes only options, and --help lists"),
        ("agents laod x.yaml", "'laod' is not a subcommand of %agent agents; did you mean 'load'?"),
        ("tools add_mcp mcp.json", "'add_mcp' is not a subcommand of %agent tools; did you mean 'add-mcp'?"),
        ("agents x", "'x' has no option before it; %agent agents takes only options, and --help lists them"),
        ("version", "'version' is not a subcommand; %agent doctor shows what is installed and set up"),
        ("show --last x", "--last takes a whole number, and not 'x'; %agent show --help lists the options"),
        ("show --nope", "--nope is not an option; %agent show --help lists the options"),
        ("--temperature 0", "%agent needs a subcommand before --temperature, and lists them if nothing follows; "),
        ("--temperature 0", "; write %%agent --set temperature=0"),
        ("--model=x", "%agent needs a subcommand before --model, and lists them if nothing follows; options of a cell"),
    ],
)
def test_line_that_is_none_says_what_to_type(context, line, words):
    with pytest.raises(UsageError) as caught:
        run_command(context, line)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--temperature 0", "--temperature is not an option; write %%agent --set temperature=0"),
        ("--temperature=0.5", "write %%agent --set temperature=0.5"),
        ("--max-tokens -s x", "write %%agent --set max_tokens=VALUE"),
        ("--reasoning_effort low", "write %%agent --set effort=low"),
        ("--system-prompt 'be brief'", "--system-prompt is not an option; write %%agent --system TEXT"),
        ("--prompt hi", "a prompt is the text of a cell that begins with %%agent"),
        ("--file x.csv", "write %%agent --attach EXPR"),
        ("--reset", "write %%agent --new"),
        ("--modle x", "--modle is not an option; did you mean '--model'?"),
        ("--nowhere", "--nowhere is not an option; %%agent --help lists the options"),
        ("churn", "'churn' has no option before it; the prompt comes below this line"),
        ("-s", "-s/--session needs a value; %%agent --help lists the options"),
        ("--compare", "--compare needs one or more values"),
        ("--once=3", "--once takes no value, such as '3'"),
        ("--s x", "--s may be any of --system, --set, --session, --send-keys"),
        ("--timeout soon", "--timeout takes a number, and not 'soon'"),
    ],
)
def test_option_that_is_none_says_what_to_type(line, words):
    with pytest.raises(UsageError) as caught:
        CELL_LINE.parse_line(line)
    assert words in str(caught.value)


def test_no_hint_hides_a_subcommand_and_each_names_one_that_there_is():
    assert not SUBCOMMANDS.keys() & COMMANDS.keys()
    for hint in SUBCOMMANDS.values():
        assert set(re.findall(r"(?<!%)%agent ([\w-]+)", hint)) <= COMMANDS.keys()


@pytest.mark.parametrize("line", ["", "help", "--help", "-h"])
def test_help_lists_the_subcommands(context, line):
    assert {entry.subcommand for entry in run_command(context, line)} == COMMANDS.keys()
