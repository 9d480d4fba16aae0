"""Agents files that are too large, changing or hostile: bombs, keys, links, pipes and vanished files."""

import os
import time

import pytest

from sessionmagic.agents import beside
from sessionmagic.agents.agents_file import FILE_LIMIT, dumps, from_dict, load, loads, reloaded_if_changed
from sessionmagic.agents.beside import instruction_of, prompt_files_of
from sessionmagic.agents.naming import names_of
from sessionmagic.agents.nodes import DEPTH, NODES
from sessionmagic.agents.powers import powers_of
from sessionmagic.agents.readers import TEXT_LIMIT
from sessionmagic.agents.use import check_usable
from sessionmagic.exceptions import AgentsFileError, ModelReferenceError
from sessionmagic.keys.cleaning import LEFT_OUT
from sessionmagic.models.catalog import Models

KEY = "sk-proj-" + "a1B2c3D4" * 5
LAUGHS = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (LAUGHS, f"agents:4: there are more than {NODES:,} values, counting what aliases repeat; make it smaller"),
        (LAUGHS.replace("[x, x", "{x: 1}\ny: [x"), f"there are more than {NODES:,} values"),
        ("agents: " + "[" * 100_000, f"agents:1: values are nested more than {DEPTH} deep; write it flatter"),
        ("- " * 100_000, f"nested more than {DEPTH} deep"),
        ("agents: [" + "a, " * 300_000, f"more than {NODES:,} values"),
        ("#" * (FILE_LIMIT + 1), f"agents: the text has {FILE_LIMIT + 1:,} characters; use at most {FILE_LIMIT:,}"),
        ("agents: {a: {instruction: '" + "x" * (TEXT_LIMIT + 1) + "'}}",
         f"agents:1: agents.a.instruction has {TEXT_LIMIT + 1:,} characters; use at most {TEXT_LIMIT:,}"),
        ("agents:\n  a:\n    instruction: |\n" + ("      " + "some words " * 50 + "\n") * 1_000, "a.instruction has"),
        ("%YAML " + "9" * 5_000 + "\n---\nagents: {a: {}}", "a number in an escape or a directive is too large"),
    ],
    ids=["laughs", "merged", "brackets", "dashes", "wide", "comment", "instruction", "block", "directive"],
)  # fmt: skip
def test_what_is_too_large_is_refused_quickly(text, problem):
    began = time.process_time()
    with pytest.raises(AgentsFileError) as caught:
        loads(text)
    assert time.process_time() - began < 5  # without the limits, some of these would take minutes, or all memory
    assert problem in str(caught.value)


def test_many_models_that_are_used_twice_each_are_checked_quickly():
    models = {f"m{n}": {"model": f"m{n + 1},m{n + 1}"} for n in range(1_000)}
    last = {"provider": "openai", "model": "gpt-5-mini"}
    file = from_dict({"models": {**models, "m1000": last}, "agents": {"a": {"model": "m0"}}})
    check_usable(file, "a")


def test_longest_instruction_is_taken_and_written():
    file = from_dict({"agents": {"a": {"instruction": ("word " * 99 + "end.\n") * (TEXT_LIMIT // 500)}}})
    assert loads(dumps(file)) == file


@pytest.mark.parametrize("address", ["http://[lab]/v1", "http://[::1", f"http://me:{KEY}@lab/v1"])
def test_address_that_cannot_be_read_is_no_error_for_other_agents(address):
    server = {"base_url": address, "token_key": "LAB_KEY"}
    file = from_dict(
        {
            "providers": {"lab": server},
            "models": {"m": {"provider": "openai", "model": "x", **server}},
            "agents": {
                "a": {"model": "openai/gpt-5-mini"},
                "b": {"model": "m", "toolsets": [{"type": "mcp", "remote": {"url": address}}]},
            },
        }
    )
    assert {"m"} <= set(names_of(file, ()).models)
    assert any(power.startswith("send LAB_KEY to ") for power in powers_of(file))
    check_usable(file, "a")


class _Twisted(dict):
    """A dict that contains itself."""


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ([], "the file is not a mapping"),
        ({"agents": None}, "there are no agents"),
        ({1: 2}, "a key is of type int; use texts as keys"),
        ({"agents": {"a": {10**5_000: 1}}}, "a key is of type int; use texts as keys"),
        ({"agents": {"a": {"description": {1, 2}}}}, "a value is of type set; use dicts, lists, texts, numbers"),
        ({"agents": {"a": {"description": "\ud83d"}}}, "half of a character"),
        ({"agents": {"a": {"max_iterations": 10**5_000}}}, "a whole number is too long"),
        ({"agents": {"a": {"budget": float("nan")}}}, "infinity and NaN are not numbers here"),
        ({"agents": {"a\nb": {}}}, "is not a valid name of an agent"),
        ({"agents": {"a\u202eb": {}}}, "is not a valid name of an agent"),
        ({"agents": {"a" * 101: {}}}, "is not a valid name of an agent"),
        ({"x": [0] * NODES, "agents": {"a": {}}}, f"there are more than {NODES:,} values"),
    ],
)
def test_dict_that_is_no_agents_file_is_refused_without_a_line(content, problem):
    with pytest.raises(AgentsFileError) as caught:
        from_dict(content, where="my dict")
    assert str(caught.value).startswith("my dict: ")
    assert problem in str(caught.value)


def test_dict_that_contains_itself_is_refused():
    content = _Twisted(agents={})
    content["agents"]["a"] = content
    with pytest.raises(AgentsFileError, match=f"nested more than {DEPTH} deep"):
        from_dict(content)


def test_keys_in_a_file_are_left_out_warned_of_and_an_error_when_they_are_needed(monkeypatch):
    monkeypatch.setenv("OTHER_API_KEY", "open sesame or else")
    text = f"""
models:
  m: {{provider: openai, model: gpt-5, token_key: {KEY}}}
  n: {{provider: openai, model: gpt-5, token_key: hunter-2}}
  fine: {{provider: openai, model: gpt-5, token_key: MY_KEY_2}}
mcps:
  server: {{command: x, env: {{DB_PASSWORD: q7w8e9r0t1, PLAIN: value}}}}
agents:
  a: {{model: m, toolsets: [{{type: mcp, ref: server}}]}}
  b: {{model: n}}
  c: {{model: fine, instruction: "The word is open sesame or else."}}
  d: {{toolsets: [{{type: mcp, remote: {{url: "https://x.example", headers: {{Authorization: "Bearer {KEY}"}}}}}}]}}
"""
    file = loads(text)
    for shown in (repr(file), dumps(file), *map(str, file.warnings)):
        assert not any(secret in shown for secret in (KEY, "hunter-2", "q7w8e9r0t1", "sesame"))
    said = "holds a key or a password, which was left out; name an environment variable instead"
    assert sorted(map(str, file.warnings)) == sorted(
        f"agents:{place} {said}"
        for place in (
            "3: models.m.token_key",
            "4: models.n.token_key",
            "7: mcps.server.env.DB_PASSWORD",
            "11: agents.c.instruction",
            "12: agents.d.toolsets[0].remote.headers.Authorization",
        )
    )
    assert (file.models["m"].token_key, file.models["n"].token_key) == (LEFT_OUT, LEFT_OUT)
    assert "MY_KEY_2" in dumps(file)
    assert file.mcps["server"].env == {"DB_PASSWORD": LEFT_OUT, "PLAIN": "value"}
    for name in "ad":
        with pytest.raises(AgentsFileError, match=f"'{name}' needs a key that stood in the file and was left out"):
            check_usable(file, name)
    for name in "bc":
        check_usable(file, name)
    for name in "mn":
        with pytest.raises(ModelReferenceError, match=f"'{name}' needs a key that stood in agents and was left out"):
            Models().within(names_of(file, ())).check(name)
    again = loads(dumps(file))
    assert again == file
    assert {each.text for each in again.warnings} == {each.text for each in file.warnings}
    with pytest.raises(AgentsFileError, match=said):
        loads(text, strict=True)


@pytest.mark.parametrize(
    "text",
    [f"agents: {{{KEY}: {{}}}}", f"agents:\n  {KEY}: {{}}\n  {KEY}: {{}}", f"agents: *{KEY}", f"agents: !{KEY} {{}}",
     f"agents: {{a: {{model: {KEY}}}}}", f"agents: {{a: {{{KEY}: 1}}}}", f"agents: {{a: {{sub_agents: [{KEY}]}}}}",
     f"agents: {{a: {{add_date: {KEY}}}}}",
     f"agents: [{{name: {KEY}}}, {{name: {KEY}}}]", f"agents: {{? [{KEY}] : 1}}"],
)  # fmt: skip
def test_no_error_shows_a_key(text):
    try:
        shown = repr(loads(text))
    except AgentsFileError as error:
        shown = str(error)
    assert KEY not in shown


@pytest.fixture
def written(tmp_path):
    """Write an agents file with an agent of these keys, and return its path."""

    def write(keys="{}", name="agents.yaml"):
        path = tmp_path / "course" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"agents:\n  a: {keys}\n", encoding="utf-8")
        return path

    return write


def test_file_is_read_again_only_when_it_has_changed(written):
    path = written("{description: one}")
    file = load(str(path))
    assert reloaded_if_changed(file) is file
    assert file.directory == path.parent
    path.write_text("agents: {a: {description: three}}")
    again = reloaded_if_changed(file)
    assert (file.agents["a"].description, again.agents["a"].description) == ("one", "three")
    assert reloaded_if_changed(again) is again
    os.utime(path, ns=(1, 1))
    touched = reloaded_if_changed(again)
    assert touched == again
    assert touched is not again


def test_file_that_vanishes_or_breaks_is_an_error_and_what_was_read_stays(written, monkeypatch):
    path = written("{description: one}")
    monkeypatch.chdir(path.parent)
    file = load("agents.yaml")
    path.write_text("agents: [")
    monkeypatch.chdir("/")
    with pytest.raises(AgentsFileError, match=r"^agents\.yaml:1: this is not valid YAML"):
        reloaded_if_changed(file)
    path.unlink()
    with pytest.raises(AgentsFileError, match=r"^agents\.yaml: the file cannot be read \(No such file or directory\)"):
        reloaded_if_changed(file)
    assert file.agents["a"].description == "one"
    written("{description: two}")
    assert reloaded_if_changed(file).agents["a"].description == "two"


def test_file_that_is_replaced_by_one_of_the_same_size_and_time_is_read_again(written):
    path = written("{description: one}")
    file = load(path)
    other = written("{description: two}", "other.yaml")
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)
    assert reloaded_if_changed(file).agents["a"].description == "two"


def test_what_was_not_read_from_a_file_is_not_read_again():
    file = loads("agents: {a: {}}")
    assert reloaded_if_changed(file) is file
    assert file.directory is None


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "large", "null", "denied"])
def test_path_that_is_no_readable_file_is_an_error_of_one_line(tmp_path, kind, monkeypatch):
    path = tmp_path / kind
    reason = {"missing": "No such file or directory", "folder": "it is not a file", "pipe": "it is not a file",
              "large": f"it has more than {FILE_LIMIT:,} bytes", "null": "embedded null",
              "denied": "Permission denied"}[kind]  # fmt: skip
    match kind:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "large":
            path.write_bytes(b"#" * (FILE_LIMIT + 1))
        case "null":
            path = f"{path}\0"
        case "denied":
            monkeypatch.setattr(beside.os, "open", _denied)
    with pytest.raises(AgentsFileError) as caught:
        load(path)
    assert f": the file cannot be read ({reason}" in str(caught.value).replace("open: ", "")  # as Python 3.13 says it
    assert str(caught.value).endswith("); name a YAML file with agents")
    assert len(str(caught.value).splitlines()) == 1


def _denied(*_):
    raise PermissionError(13, "Permission denied")


def test_instruction_is_read_from_files_beside_the_agents_file(written):
    path = written("{instruction_file: [one.md, deep/two.md], add_prompt_files: one.md}")
    (path.parent / "deep").mkdir()
    (path.parent / "one.md").write_text("\ufeffOne.\n", encoding="utf-8")
    (path.parent / "deep" / "two.md").write_text("Zwei: größer.", encoding="utf-8")
    file = load(path)
    agent = file.agents["a"]
    assert instruction_of(file, agent) == "One.\n\n\nZwei: größer."
    assert prompt_files_of(file, agent) == {"one.md": "One.\n"}
    without_files = loads("agents: {a: {instruction: Do.}}")
    assert instruction_of(without_files, without_files.agents["a"]) == "Do."
    assert prompt_files_of(without_files, without_files.agents["a"]) == {}


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("../secret.md", "which is not below the directory of the agents file; move it there"),
        ("/etc/passwd", "which is not below the directory of the agents file"),
        ("inside/../../secret.md", "which is not below the directory"),
        ("link.md", "which is not below the directory"),
        ("linked/secret.md", "which is not below the directory"),
        ("missing.md", "which cannot be read (No such file or directory); correct the name or the file"),
        (".", "which cannot be read (it is not a file)"),
        ("pipe", "which cannot be read (it is not a file)"),
        ("latin.md", "which is not UTF-8; save it as UTF-8"),
        ("long.md", f"have {TEXT_LIMIT + 1:,} characters; use at most {TEXT_LIMIT:,}"),
        ("huge.md", f"which cannot be read (it has more than {4 * TEXT_LIMIT:,} bytes)"),
    ],
)
def test_file_elsewhere_or_of_another_kind_is_refused_when_it_is_read(written, tmp_path, name, problem):
    path = written(f"\n    add_prompt_files: [{name!r}]")
    folder = path.parent
    (folder / "inside").mkdir()
    (tmp_path / "secret.md").write_text("secret")
    (folder / "link.md").symlink_to(tmp_path / "secret.md")
    (folder / "linked").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    (folder / "latin.md").write_bytes(b"gr\xfc\xdfe")
    (folder / "long.md").write_text("x" * (TEXT_LIMIT + 1))
    (folder / "huge.md").write_text("x" * (4 * TEXT_LIMIT + 1))
    file = load(path)
    with pytest.raises(AgentsFileError) as caught:
        prompt_files_of(file, file.agents["a"])
    assert str(caught.value).startswith(f"{path}:3: ")
    assert problem in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
