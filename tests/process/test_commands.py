"""Commands of a model: their output, their limits, and their end with all that they have started."""

import asyncio
import os
from dataclasses import replace
from itertools import count

import psutil
import pytest

from sessionmagic import MemoryStore
from sessionmagic.agents.toolsets import PostEdit, Toolset
from sessionmagic.conversation.events import ToolPrinted, Warned
from sessionmagic.exceptions import ToolError
from sessionmagic.tools.toolsets import command as module
from sessionmagic.tools.toolsets.command import Command, cleaned, shell_command
from sessionmagic.tools.toolsets.jobs import MOST
from sessionmagic.tools.toolsets.making import tools_of
from sessionmagic.tools.toolsets.post_edit import PostEdits
from sessionmagic.tools.toolsets.shell import Shell
from sessionmagic.tools.toolsets.surroundings import Surroundings
from sessionmagic.tools.toolsets.variables import Variables
from sessionmagic.turns.prints import reported
from tests.effort import grows_linearly
from tests.turns import acting, events_of, manager_on, on_a_loop, until

pytestmark = [pytest.mark.once, pytest.mark.skipif(os.name == "nt", reason="the commands are those of a Unix shell")]
_numbers = count()


class Sleepers:
    """Commands that sleep for a time that no other test sleeps, by which they are found."""

    def __init__(self, number):
        self.one = f"sleep 60{number}.{os.getpid()}"

    @property
    def family(self):
        """A command that ignores SIGTERM, with a child, one in a session of its own, and one without a parent."""
        return f"{self.one} &\nsetsid {self.one} &\n(setsid {self.one} &)\ntrap '' TERM\necho started\n{self.one}"

    @property
    def count(self):
        """How many of them run."""
        words = self.one.split()
        return sum(process.info["cmdline"] == words for process in psutil.process_iter(["cmdline"]))

    async def have_started(self, count):
        await until(lambda: self.count == count)

    async def have_ended(self):
        await self.have_started(0)


@pytest.fixture
def sleepers():
    return Sleepers(next(_numbers))


@pytest.fixture
def surroundings(tmp_path):
    (tmp_path / "work").mkdir()
    made = Surroundings(directory=tmp_path / "work", store=tmp_path / "store", agent="tutor")
    yield made
    made.jobs.close()


def shell(surroundings, **variables):
    return Shell(surroundings, Variables(variables, variables))


@on_a_loop
async def test_output_and_errors_are_returned_in_their_order(surroundings):
    said = await shell(surroundings).shell("echo one; echo two >&2; echo three")
    assert said == "one\ntwo\nthree"
    assert await shell(surroundings).shell("true") == "(no output)"


@on_a_loop
async def test_command_that_fails_says_its_exit_code(surroundings):
    assert await shell(surroundings).shell("echo no; exit 3") == "no\n[exit code 3]"
    assert await shell(surroundings).shell("kill -9 $$") == "[exit code 137]"
    assert "not found" in await shell(surroundings).shell("no-such-program")


@on_a_loop
async def test_command_runs_in_the_working_directory_or_the_one_it_names(surroundings):
    (surroundings.directory / "data").mkdir()
    assert await shell(surroundings).shell("pwd") == str(surroundings.directory)
    assert await shell(surroundings).shell("pwd", cwd="data") == str(surroundings.directory / "data")
    for wrong in ("nowhere", "data/\0", "a" * 5_000):
        with pytest.raises(ToolError, match="is not a directory, so the command was not run"):
            await shell(surroundings).shell("pwd", cwd=wrong)


@on_a_loop
async def test_command_reads_nothing(surroundings):
    assert await shell(surroundings).shell("cat; echo end") == "end"


@pytest.mark.parametrize(("cmd", "words"), [("", "the command is empty"), (" \n", "empty"), ("a\0b", "null character")])
@on_a_loop
async def test_command_that_cannot_run_is_refused(surroundings, cmd, words):
    with pytest.raises(ToolError, match=words):
        await shell(surroundings).shell(cmd)


@pytest.mark.parametrize("timeout", [0, -1, 3_601])
@on_a_loop
async def test_timeout_that_is_not_allowed_is_refused_before_anybody_is_asked(surroundings, timeout):
    for call in (shell(surroundings).shell, shell(surroundings).preview):
        with pytest.raises(ToolError, match="must be more than 0 and at most 3,600 seconds"):
            await call("true", timeout=timeout)


@on_a_loop
async def test_timeout_ends_all_that_the_command_has_started(surroundings, sleepers, monkeypatch):
    in_own_thread = module.in_own_thread

    async def all_started_in_time(wait, seconds):
        if seconds == 1:
            await sleepers.have_started(4)
            return False
        return await in_own_thread(wait, seconds)

    monkeypatch.setattr(module, "in_own_thread", all_started_in_time)
    said = await shell(surroundings).shell(sleepers.family, timeout=1)
    assert said == "started\n[stopped: it took longer than 1 s]"
    await sleepers.have_ended()


@on_a_loop
async def test_end_of_the_command_ends_what_it_has_left_behind(surroundings, sleepers):
    assert await shell(surroundings).shell(f"setsid {sleepers.one} & echo done") == "done"
    await sleepers.have_ended()


@on_a_loop
async def test_cancelled_call_ends_at_once_and_so_does_all_that_it_has_started(surroundings, sleepers):
    call = asyncio.ensure_future(shell(surroundings).shell(sleepers.family))
    await sleepers.have_started(4)
    call.cancel()
    for _ in range(10):  # no time for the command's end
        await asyncio.sleep(0)
    assert call.cancelled()
    await sleepers.have_ended()


@on_a_loop
async def test_call_that_is_cancelled_while_its_command_starts_leaves_nothing_running(surroundings, sleepers):
    for _ in range(5):
        call = asyncio.ensure_future(shell(surroundings).shell(sleepers.one))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    await sleepers.have_ended()


@on_a_loop
async def test_command_ends_with_its_turn(surroundings, sleepers):
    manager = manager_on(MemoryStore())
    toolset = Toolset(type="shell")
    tools = tools_of(toolset, surroundings).tools
    turn, _ = await acting(manager, [("shell", {"cmd": sleepers.family})], "Done", tools=tools, yes=True)
    await sleepers.have_started(4)
    turn.cancel()
    result = await turn.result()
    events = await events_of(turn)
    assert result.status == "interrupted"
    assert not any(isinstance(event, Warned) for event in events)  # the call did not outlast the turn
    await sleepers.have_ended()


@on_a_loop
async def test_lines_of_a_command_are_shown_while_it_runs_and_those_of_a_stopped_one_stay(surroundings, sleepers):
    manager = manager_on(MemoryStore())
    tools = tools_of(Toolset(type="shell"), replace(surroundings, reporting=reported)).tools
    cmd = f"printf 'one\\ntw'; sleep 0.5; printf 'o\\nrest'; {sleepers.one}"
    turn, _ = await acting(manager, [("shell", {"cmd": cmd})], "Done", tools=tools, yes=True)
    await until(lambda: turn.transcript.blocks and turn.transcript.blocks[0].printed == "one\ntwo\n")
    turn.cancel()
    await turn.result()
    pieces = [event.text for event in await events_of(turn) if isinstance(event, ToolPrinted)]
    assert "".join(pieces) == "one\ntwo\n"
    await sleepers.have_ended()


@on_a_loop
async def test_command_whose_supervisor_hangs_is_killed(surroundings, sleepers):
    command = Command(shell_command(sleepers.one), surroundings.directory, {"PATH": os.environ["PATH"]})
    await sleepers.have_started(1)
    psutil.Process(command._process.pid).suspend()
    command.stop("it has to")
    await until(lambda: command.exit_code is not None)
    await sleepers.have_ended()


@on_a_loop
async def test_long_output_is_cut_in_its_middle(surroundings):
    said = await shell(surroundings).shell("seq 1 100000")
    assert said.startswith("1\n2\n3\n")
    assert said.endswith("\n99999\n100000")
    assert "[cut: " in said
    assert len(said) < 3 * module.HALF


@on_a_loop
async def test_command_that_writes_without_end_is_stopped(surroundings):
    said = await shell(surroundings).shell("yes", timeout=30)
    assert said.endswith("\n[stopped: it wrote more than 10,000,000 bytes]")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("10 %\r50 %\r100 %\ndone\r\n", "100 %\ndone\n"),
        ("a\x08\x00b\x1b", "ab"),
        ("\x1b]8;;https://a.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("tab\tstays", "tab\tstays"),
    ],
)
def test_output_is_what_a_terminal_would_show_as_plain_text(text, shown):
    assert cleaned(text) == shown


@pytest.mark.parametrize("begin", ["", "\x1b["])
@pytest.mark.parametrize("text", ["\x1b[", "1", "a", "\r", "\x1b]"])
def test_cleaning_takes_no_longer_for_hostile_output(begin, text):
    assert grows_linearly(lambda size: cleaned(begin + text * size), 60_000)


@on_a_loop
async def test_commands_get_no_keys_and_no_hint_at_the_store(surroundings, monkeypatch):
    monkeypatch.setenv("LAB_API_KEY", "s3cr3t-of-the-lab")
    monkeypatch.setenv("SESSIONMAGIC_HOME", str(surroundings.store))
    monkeypatch.setenv("PLACE", str(surroundings.store / "x"))
    monkeypatch.setenv("HARMLESS", "kept")
    said = await shell(surroundings, EXTRA="of the file").shell("env")
    assert "HARMLESS=kept" in said
    assert "EXTRA=of the file" in said
    assert "SESSIONMAGIC_TOOL=shell" in said
    assert not any(word in said for word in ("s3cr3t", "LAB_API_KEY", "SESSIONMAGIC_HOME", str(surroundings.store)))


@on_a_loop
async def test_code_that_a_command_runs_counts_as_that_of_a_tool_whatever_the_file_sets(surroundings):
    code = "from sessionmagic.tools.tool_code import runs_for_a_tool; print(runs_for_a_tool())"
    python = f"{os.sys.executable} -c '{code}'"
    assert (await shell(surroundings).shell(python)).endswith("True")
    for name in ("SESSIONMAGIC_TOOL", "sessionmagic_home"):
        with pytest.raises(ToolError, match=f"an agents file cannot set {name}"):
            shell(surroundings, **{name: ""})


@pytest.mark.parametrize("given", ["/bin/sh", "/usr/bin/fish", "sh", "", "/nowhere/zsh"])
def test_shell_is_the_users_if_it_takes_what_models_write(monkeypatch, tmp_path, given):
    monkeypatch.setenv("SHELL", given)
    assert shell_command("true") == ["/bin/sh", "-c", "true"]
    (tmp_path / "bash").symlink_to("/bin/sh")
    monkeypatch.setenv("SHELL", str(tmp_path / "bash"))
    assert shell_command("true") == [str(tmp_path / "bash"), "-c", "true"]


def test_shell_of_windows_is_the_one_that_it_names(monkeypatch):
    monkeypatch.setattr(module, "WINDOWS", True)
    monkeypatch.setenv("COMSPEC", "C:\\cmd.exe")
    assert shell_command("dir") == ["C:\\cmd.exe", "/d", "/c", "dir"]


@on_a_loop
async def test_command_ends_with_its_descendants_where_no_supervisor_is(surroundings, sleepers, monkeypatch):
    monkeypatch.setattr(module, "supervised", lambda words, _: words)
    command = Command(shell_command(f"{sleepers.one} & {sleepers.one}"), surroundings.directory, dict(os.environ))
    await sleepers.have_started(2)
    monkeypatch.setattr(module, "WINDOWS", True)
    command.stop("it has to")
    await sleepers.have_ended()


@on_a_loop
async def test_program_that_cannot_be_started_is_an_error(surroundings, monkeypatch):
    monkeypatch.setattr(module, "supervised", lambda words, _: words)
    with pytest.raises(ToolError, match=r"the command cannot be started: .*No such file"):
        await Command.started(["no-such-program"], surroundings.directory, {})


@pytest.mark.parametrize("name", ["", "a b", "1a", "a=b"])
def test_name_that_is_none_of_a_variable_is_refused(name):
    with pytest.raises(ToolError, match="is not the name of a variable"):
        Variables({name: "x"}, {})


@on_a_loop
async def test_preview_shows_where_a_command_runs_and_what_the_file_sets(surroundings):
    (surroundings.directory / "data").mkdir()
    hostile = Shell(surroundings, Variables({"BASH_ENV": "/home/ada/x"}, {"BASH_ENV": "$HOME/x"}))
    shown = await hostile.preview("ls", cwd="data")
    assert shown == f"runs in {surroundings.directory}/data\nthe agents file sets BASH_ENV=$HOME/x"
    assert await shell(surroundings).preview("ls") == ""


@on_a_loop
async def test_job_runs_on_while_other_calls_are_made_and_ends_when_it_is_told_to(surroundings, sleepers):
    tools = shell(surroundings)
    assert await tools.list_background_jobs() == "(no jobs)"
    assert await tools.run_background_job(f"echo ready; {sleepers.one}") == "started job_1"
    await until(lambda: "ready" in surroundings.jobs.find("job_1").command.output)
    shown = await tools.view_background_job("job_1")
    assert shown.startswith("job_1: running for ")
    assert shown.endswith(f"· echo ready; {sleepers.one}\nready\n")
    assert await tools.shell("echo meanwhile") == "meanwhile"
    assert await tools.stop_background_job("job_1") == f"job_1: stopped: it was told to · echo ready; {sleepers.one}"
    await sleepers.have_ended()


@on_a_loop
async def test_job_that_has_ended_says_how(surroundings):
    tools = shell(surroundings)
    await tools.run_background_job("exit 3")
    await tools.run_background_job("true")
    await until(lambda: all(job.command.exit_code is not None for job in surroundings.jobs.all))
    assert await tools.list_background_jobs() == "job_1: exit code 3 · exit 3\njob_2: completed · true"
    with pytest.raises(ToolError, match="no job has the id 'job_9'"):
        await tools.view_background_job("job_9")


@on_a_loop
async def test_jobs_end_when_their_session_is_closed(surroundings, sleepers):
    await shell(surroundings).run_background_job(sleepers.family)
    await sleepers.have_started(4)
    surroundings.jobs.close()
    await sleepers.have_ended()


@on_a_loop
async def test_only_so_many_jobs_run_at_once(surroundings):
    tools = shell(surroundings)
    for _ in range(MOST):
        surroundings.jobs.add("x", type("Runs", (), {"exit_code": None, "stop": lambda *_: None})())
    with pytest.raises(ToolError, match="20 jobs are running; stop one of them first"):
        await tools.run_background_job("true")


@on_a_loop
async def test_command_after_a_write_finds_the_file_in_its_variables(surroundings):
    commands = [PostEdit(path="*.py", cmd='echo "$path" "$file"'), PostEdit(path="src/**/*.md", cmd="exit 2")]
    afterwards = PostEdits(commands, surroundings, Variables({}, {}))
    where = surroundings.directory / "src" / "a b.py"
    assert afterwards.shown("src/a b.py") == ['then runs: echo "$path" "$file"']
    assert await afterwards.run("./src/a b.py") == [f'echo "$path" "$file": {where} {where}']
    assert await afterwards.run("src/x/a.md") == ["exit 2: [exit code 2]"]
    assert await afterwards.run("a.md") == []
