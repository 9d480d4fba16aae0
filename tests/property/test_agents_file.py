"""An agents file that is written and read again is the same, and no input makes anything but our error."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sessionmagic import Agents
from sessionmagic.agents.agents_file import dumps, from_dict, loads
from sessionmagic.agents.file_agent import SAFETIES, FileAgent
from sessionmagic.agents.named_models import ADAPTIVE
from sessionmagic.agents.records import keys_of, plain
from sessionmagic.agents.toolsets import COMMON, TYPES, Toolset
from sessionmagic.agents.yaml_text import parsed, scalar, written
from sessionmagic.exceptions import AgentsFileError
from sessionmagic.models.clients import is_loopback
from sessionmagic.models.settings import EFFORTS
from sessionmagic.tools.call import Call
from sessionmagic.tools.permissions import Permissions
from sessionmagic.turns.agent_limits import policy_of
from tests.examples import examples

AWKWARD = [
    "",
    " ",
    "on",
    "no",
    "~",
    "null",
    "0o17",
    "1e3",
    "1_0",
    "017",
    ".5",
    "2026-03-01",
    "<<",
    "- a",
    "a: b",
    "#",
    "a\n",
    "\na",
    " a\n b\n",
    "a\n\n\nb",
    "a\tb\n",
    "a\r\nb",
    "\x85",
    "\u2028",
    "é\nü",
    "🙂",
    "'\"",
    "\\",
    "%a",
    "&a",
    "*a",
    "!a",
    "|",
    ">-",
    "? a",
    "{a",
    "a" * 300 + " b " * 50,
    "\ufeff",
    "a \nb",
    "\x00\x1b",
    "---",
    "...",
]
texts = st.one_of(st.sampled_from(AWKWARD), st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
names = st.sampled_from(["root", "tutor", "on", "7", "größe", "a b", "x.y", "<<", "null"])
numbers = st.one_of(st.integers(0, 10**6), st.floats(0, 1e300))
values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        texts,
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)
references = st.sampled_from(["auto", "local", "openai/gpt-5-mini", "anthropic:claude, local"])
many_texts = st.one_of(texts, st.lists(texts, max_size=3))
variables = st.dictionaries(texts, st.one_of(texts, st.integers(), st.booleans(), st.none()), max_size=3)


def mapping(**keys):
    """Return a strategy for mappings that have some of these keys, and sometimes one that nobody knows."""
    return st.fixed_dictionaries({}, optional={**keys, "unheard_of": values})


toolsets = st.one_of(
    mapping(
        type=st.just("filesystem"),
        tools=many_texts,
        instruction=texts,
        ignore_vcs=st.booleans(),
        post_edit=st.lists(mapping(path=texts, cmd=texts), max_size=2),
    ),
    mapping(type=st.just("mcp"), ref=st.just("docker:x"), config=values, env=variables, version=texts),
    mapping(type=st.just("mcp"), command=st.just("run"), args=many_texts, defer=st.one_of(st.booleans(), many_texts)),
    mapping(type=st.just("mcp"), remote=st.fixed_dictionaries({"url": st.just("https://x"), "headers": variables})),
    mapping(
        type=st.just("script"),
        shell=st.dictionaries(
            names,
            st.fixed_dictionaries({"cmd": st.just("x")}, optional={"args": st.dictionaries(texts, values, max_size=2)}),
        ),
    ),
    mapping(type=st.sampled_from(["lsp", "a2a", *TYPES]), timeout=st.integers(1, 9), shared=st.booleans(), path=texts),
)
addresses = st.one_of(texts, st.sampled_from(["http://127.0.0.1:9/v1", "https://lab.example/v1", "HTTPS://u@x:1/"]))
budgets = st.one_of(
    numbers, mapping(max_cost=numbers, max_tokens=st.integers(0), max_time=st.sampled_from(["1h2m3.5s", 7, "250ms"]))
)
commands = st.dictionaries(names, st.one_of(texts, mapping(instruction=texts, description=texts)), max_size=3)
agents = mapping(
    model=references,
    description=texts,
    instruction=texts,
    toolsets=st.lists(toolsets, max_size=3),
    sub_agents=st.just("far/away"),
    commands=st.one_of(commands, st.lists(commands, max_size=2)),
    welcome_message=texts,
    max_iterations=st.integers(0, 99),
    add_date=st.booleans(),
    add_prompt_files=many_texts,
    safety=st.sampled_from(SAFETIES),
    readonly=st.booleans(),
    code_mode_tools=st.booleans(),
    budget=budgets,
    fallback=mapping(
        models=st.just(["test"]), retries=st.integers(-1, 5), cooldown=st.sampled_from(["", "90s", "1ms", 0])
    ),
    structured_output=st.fixed_dictionaries({"name": st.just("x"), "schema": st.just({"type": "object"})}),
)
models = mapping(
    provider=st.just("openai"),
    model=st.sampled_from(["gpt-5", "local,test"]),
    temperature=st.floats(0, 2),
    max_tokens=st.integers(1),
    thinking_budget=st.one_of(st.integers(-1, 40_000), st.sampled_from([*EFFORTS, *ADAPTIVE])),
    provider_opts=st.dictionaries(texts, values, max_size=2),
    base_url=addresses,
    token_key=st.just("A_KEY"),
    title_model=references,
    cost=mapping(input=numbers, output=numbers),
    capabilities=mapping(image=st.booleans()),
)
files = st.fixed_dictionaries(
    {"agents": st.dictionaries(names, agents, min_size=1, max_size=3)},
    optional={
        "version": st.one_of(texts, st.integers(0, 9)),
        "models": st.dictionaries(names, models, max_size=2),
        "permissions": mapping(allow=many_texts, deny=many_texts),
        "metadata": mapping(author=texts, readme=texts),
        "budget": budgets,
        "budgets": st.dictionaries(names, budgets, max_size=2),
        "x-notes": values,
        "mcps": st.dictionaries(names, mapping(command=st.just("x"), env=variables), max_size=2),
        "providers": st.dictionaries(
            names, mapping(base_url=addresses, headers=variables, token_key=st.just("A_KEY")), max_size=2
        ),
    },
)


@settings(max_examples=examples(300))
@given(files)
def test_what_is_written_is_read_as_the_same(content):
    try:
        file = from_dict(content)
    except AgentsFileError:
        return
    again = loads(dumps(file))
    assert again == file
    assert {each.text for each in again.warnings} == {each.text for each in file.warnings}
    assert list(again.agents) == list(file.agents)
    assert from_dict(plain(file)) == file


def permitted(agents, name):
    """Return an agent, and the policy over its calls in a new session; None if it cannot be used."""
    try:
        agent = agents.answering(name)
    except AgentsFileError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017  any other error fails the test
        return None
    return agent, policy_of(Permissions({}, "balanced"), agent, attended=True)


@settings(max_examples=examples(300))
@given(files)
@example({"agents": {"root": {"add_prompt_files": ["a" * 450, "\0", "/etc/hosts", ".."]}}})
def test_a_file_that_nobody_has_confirmed_lets_nothing_run_that_would_ask_and_sends_no_key(content):
    try:
        agents = Agents(content)
    except AgentsFileError:
        return
    for name in agents.current().file.agents:
        if (found := permitted(agents, name)) is None:
            continue
        agent, policy = found
        for call in (Call("anything", {"x": "y"}, read_only=False), Call("read", {}, read_only=False)):
            assert policy.rule_on(call).verdict in {"ask", "deny"}
        servers = [*agent.names.servers.values(), *(each.server for each in agent.names.models.values() if each.server)]
        assert all(each.refusal or not each.key or not each.base_url or is_loopback(each.base_url) for each in servers)


@settings(max_examples=examples(500))
@given(values)
def test_any_plain_value_is_written_as_yaml_that_is_read_as_the_same(value):
    if value is None:
        return
    found = parsed(written(value), "file").plain
    assert found == value
    assert repr(found) == repr(value)  # 1 is not True


@given(st.text(st.sampled_from("+-.0123456789_xobeEinfaNA~"), max_size=8))
def test_a_word_is_read_as_itself_or_as_a_number(word):
    assert isinstance(scalar(word), int | float | str | None)
    if isinstance(scalar(word), str):
        assert scalar(word) == word


def _loads_or_is_refused(read, content):
    error = None
    try:
        assert read(content).agents
    except AgentsFileError as refused:
        error = str(refused)
    assert error is None or (error.startswith("agents:") and len(error.splitlines()) == 1)


PIECES = [
    "agents",
    "models",
    ":",
    " ",
    "\n",
    "\n  ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    ",",
    "&a",
    "*a",
    "<<",
    "!!str",
    "!",
    "|",
    ">",
    "'",
    '"',
    "\\x41",
    "\\u",
    "\t",
    "#",
    "%YAML 1.2",
    "---",
    "...",
    "?",
    "root",
    "7",
    "null",
    "\ufeff",
    "\x00",
    "\ud800",
    "type: mcp",
    "%TAG ! x",
    "\x85",
    "@",
    "`",
    "model: a,b",
]


@settings(max_examples=examples(1_500))
@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=4)), max_size=25).map("".join))
@example("%YAML " + "9" * 5_000 + "\n---\na: 1")
@example('agents: {a: {description: "\\U99999999"}}')
@example("agents: !<x> {a: {}}")
@example("? [a]\n: b")
@example("agents: {a: {model: 1e999}}")
@example("agents: {root: {model: " + "9" * 5_000 + "}}")
def test_no_text_makes_anything_but_our_error(text):
    _loads_or_is_refused(loads, text)


anything = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        texts,
        st.just("\ud800"),
        st.binary(max_size=2),
        st.sampled_from([2**63, object(), {1, 2}, ..., "sk-" + "a1B2" * 12]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(texts, st.sampled_from(["type", "models", "model", "url", "cmd"]), st.integers()),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=6,
)
SECTIONS = ["agents", "models", "providers", "mcps", "permissions", "metadata", "budget", "budgets", "version", "more"]


@settings(max_examples=examples(1_000))
@given(
    st.dictionaries(st.sampled_from(SECTIONS), anything, max_size=4),
    st.dictionaries(st.sampled_from([*COMMON, *keys_of(Toolset)]), anything, max_size=4),
    st.dictionaries(st.sampled_from(sorted(keys_of(FileAgent))), anything, max_size=4),
)
def test_no_dict_makes_anything_but_our_error(top, toolset, agent):
    with_toolset = {**top, "agents": {"a": {**agent, "toolsets": [toolset]}}}
    for content in (top, with_toolset, {**top, "agents": {"a": agent}}):
        _loads_or_is_refused(from_dict, content)


@pytest.mark.parametrize("text", AWKWARD)
def test_awkward_text_is_the_same_after_writing_as_a_value_and_as_a_key(text):
    assert parsed(written({"a": [text], text: 1}), "file").plain == {"a": [text], text: 1}
