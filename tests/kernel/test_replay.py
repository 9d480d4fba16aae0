"""`%agent record`, and recordings that answer in place of models."""

import json

import pytest

from tests.kernel.conftest import needs_subshells
from tests.kernel.forked import forking
from tests.kernel.kernels import Kernel
from tests.kernel.test_commands import refused

pytestmark = pytest.mark.once

TOOL = """
RAN = []
def add(a: int, b: int) -> int:
    "Add two numbers."
    RAN.append((a, b))
    return a + b
"""
MODEL = """
script("adds", ["Let me add. ", call("add", {"a": 1, "b": 2}, call_id="c1")], ["It is ", "**3**."])
"""


@pytest.fixture
def recording(kernel, session, tmp_path):
    """Return the file of a recorded session, and the outputs of its cells."""
    kernel.run(TOOL + MODEL).ok()
    cells = [
        kernel.run(f"%%agent -m adds -s {session} --tools add --yes\nWhat is one plus two?").ok(),
        kernel.run(f"%%agent -m hello -s {session}\nAnd who are you?").ok(),
    ]
    file = tmp_path / "lesson.jsonl"
    said = kernel.run(f"%agent record {session} {file}").ok().text.strip()
    assert said == f"recorded {session} in {file} (2 turns); --model replay:{file} replays it"
    return file, [cell.answer["data"] for cell in cells]


@pytest.fixture
def offline(tmp_path_factory):
    """A kernel on another home that knows none of the models."""
    kernel = Kernel(tmp_path_factory.mktemp("elsewhere"))
    try:
        with forking():
            kernel.start()
        kernel.run("%load_ext sessionmagic").ok()
        kernel.run(TOOL).ok()
        yield kernel
    finally:
        kernel.shutdown(now=True)


def test_notebook_is_answered_in_another_kernel_by_its_recording(recording, offline):
    file, answers = recording
    first = offline.run(f"%%agent -m replay:{file} --tools add\nWhat is one plus two?").ok()
    second = offline.run("%%agent\nAnd who are you?").ok()
    assert [first.answer["data"], second.answer["data"]] == answers
    assert "replay of adds" in first.footer["data"]["text/plain"]
    assert "replay of hello" in second.footer["data"]["text/plain"]
    assert offline.value("RAN") == "[]"
    assert offline.value("_agent.cost") == "0.0"


def test_edited_cell_is_one_line_with_the_nearest_prompt_and_the_difference(recording, offline):
    file, _ = recording
    cell = offline.run(f"%%agent -m replay:{file} --tools add\nWhat is one plus four?")
    line = refused(cell, "ReplayError")
    assert line == (
        'the recording lesson.jsonl does not have the prompt "What is one plus four?"; the nearest is turn 1: '
        "prompt line 1: "
        '"What is one plus four?" where the recording has "What is one plus two?"'
    )


@pytest.mark.parametrize(
    ("mode", "how"), [("strict", "answers in place of all models"), ("fill", "answers first, and models what it lacks")]
)
def test_commands_on_models_say_that_a_recording_answers(recording, offline, mode, how):
    file, _ = recording
    said = f"the recording lesson.jsonl {how} (AgentMagics.replay)"
    offline.run(f"%config AgentMagics.replay = {str(file)!r}\n%config AgentMagics.replay_mode = {mode!r}").ok()
    offline.run("%%agent -m test --once --tools add\nWhat is one plus two?").ok()
    models = offline.run("models = %agent models\nmodels").ok()
    assert models.text.rstrip().endswith(said)
    auto = offline.value("next(entry.note for entry in models if entry.model == 'auto')")
    assert (said in auto) == (mode == "strict")
    session = offline.run("%agent model").ok().text.strip()
    assert session.endswith(f"(the default); {said}")
    assert said in offline.run("%agent show").ok().text
    assert ("a recording answers" in offline.run("%agent context").ok().text) == (mode == "strict")


def test_session_that_names_its_recording_does_not_say_it_twice(recording, offline):
    file, _ = recording
    offline.run(f"%%agent -m replay:{file} --tools add\nWhat is one plus two?").ok()
    assert offline.run("%agent model").ok().text.strip().endswith(f": replay:{file}")
    assert "answers in place" not in offline.run("%agent show").ok().text + offline.run("%agent models").ok().text


def test_live_tools_run_and_their_results_may_differ(recording, offline):
    file, _ = recording
    offline.run("def add(a: int, b: int) -> int:\n    'Add two numbers.'\n    RAN.append((a, b))\n    return 30").ok()
    cell = offline.run(f"%%agent -m replay:{file} --tools add --yes --live-tools\nWhat is one plus two?").ok()
    assert offline.value("RAN") == "[(1, 2)]"
    assert "30" in cell.html


def test_one_setting_answers_a_whole_notebook_whatever_its_cells_name(recording, offline):
    file, answers = recording
    offline.run(f"%config AgentMagics.replay = {str(file)!r}").ok()
    cells = [
        offline.run("%%agent -m openai:gpt-5.2 --tools add\nWhat is one plus two?").ok(),
        offline.run("%%agent\nAnd who are you?").ok(),
    ]
    assert [cell.answer["data"] for cell in cells] == answers
    assert "replay of adds" in cells[0].footer["data"]["text/plain"]
    assert offline.value("_agent.model") == "'replay of hello'"


def test_setting_names_the_same_file_after_a_change_of_the_working_directory(recording, offline):
    file, answers = recording
    offline.run(f"%cd -q {file.parent}").ok()
    offline.run(f"%config AgentMagics.replay = {file.name!r}").ok()
    offline.run("%cd -q /").ok()
    assert offline.run("%%agent --tools add\nWhat is one plus two?").ok().answer["data"] == answers[0]


def test_what_a_recording_lacks_is_filled_in_by_the_model_that_the_cell_names(recording, kernel, session):
    file, answers = recording
    try:
        kernel.run(f"%config AgentMagics.replay = {str(file)!r}").ok()
        kernel.run("%config AgentMagics.replay_mode = 'fill'").ok()
        again = f"{session}-again"
        known = kernel.run(f"%%agent -m adds -s {again} --tools add\nWhat is one plus two?", cell_id="sum").ok()
        new = kernel.run(f"%%agent -m prompts -s {again}\nSomething new", cell_id="new").ok()
        assert known.answer["data"] == answers[0]
        assert "Something new" in new.text
        kernel.run("%config AgentMagics.replay_mode = 'strict'").ok()
        kernel.run(f"%%agent -m adds -s {again}2 --tools add\nWhat is one plus two?", cell_id="sum").ok()
        replayed = kernel.run(f"%%agent -m prompts -s {again}2\nSomething new", cell_id="new").ok()
    finally:
        kernel.run("%config AgentMagics.replay = ''").ok()
    assert replayed.answer["data"] == new.answer["data"]
    assert [json.loads(line).get("prompt") for line in file.read_text().splitlines()[1:]] == [
        "What is one plus two?",
        "And who are you?",
        "Something new",
    ]


def test_lesson_with_a_summary_a_judge_and_steering_runs_offline_and_runs_again(kernel, session, offline, tmp_path):
    kernel.run(
        "from sessionmagic.testing import pause, script\n"
        "script('talks', *[lambda messages: f'{len(messages)} messages'] * 9)\n"
        "script('steered', [pause(1.0), 'So far.'], 'To the left.')\n"
        "script('judge', 'VERDICT: first', 'VERDICT: second')\n"
    ).ok()
    cells = [
        ("one", "%%agent -m talks\nOne"),
        ("two", "%%agent\nTwo"),
        ("sums", "%agent compact"),
        ("three", "%%agent\nThree"),
        ("goes", "%%agent -m steered --once -b -o steered\nGo"),
        ("left", "%agent steer Left!"),
        ("said", "print(steered.result().text)"),
        ("which", "%%agent --compare talks hello --judge judge\nWhich?"),
    ]
    kernel.run(f"%config AgentMagics.session = {session!r}").ok()
    offline.run(f"%config AgentMagics.session = {session!r}").ok()

    def shown(where):
        said = [where.run(line, cell_id=name).ok() for name, line in cells]
        judged = next(line for line in said[-1].text.splitlines() if line.startswith("judge judge"))
        answers = [each.answer["data"]["text/plain"] for each in said[:4]]
        return [*answers, said[6].text, judged.partition(" · unpriced")[0].partition(" · $")[0]]

    try:
        recorded = shown(kernel)
    finally:
        kernel.run("%config AgentMagics.session = ''").ok()
    assert "To the left." in recorded[4]
    assert "both orders agree in 1 of 1" in recorded[5]
    file = tmp_path / "lesson.jsonl"
    kernel.run(f"%agent record {session} {file}").ok()
    offline.run(f"%config AgentMagics.replay = {str(file)!r}").ok()
    assert [shown(offline), shown(offline)] == [recorded, recorded]


def test_notebook_of_several_sessions_with_a_plan_a_team_and_a_rewind_is_filled_and_replays_the_same_twice(tmp_path):
    file, folder = tmp_path / "lesson.jsonl", tmp_path / "notebook"
    folder.mkdir()
    (folder / "agents.yaml").write_text(
        "agents:\n  root: {description: Leads., sub_agents: [helper], handoffs: [tutor]}\n"
        "  helper: {description: Helps.}\n  tutor: {description: Explains.}\n"
    )
    (folder / "notes.txt").write_text("Some notes.\n")
    tasks = [{"agent": "helper", "task": task, "expected_output": "a number"} for task in ("Add.", "Multiply.")]
    models = (
        "from sessionmagic.testing import call, script\n"
        "script('talks', *[lambda messages: f'{len(messages)} messages'] * 9)\n"
        "script('plans', 'Look, then plot.', 'Carried out.')\n"
        f"script('boss', [call('transfer_task', each) for each in {tasks}], 'It is 42.',\n"
        "       ['One moment.', call('handoff', agent='tutor')])\n"
        "script('helps', 'The sum.', 'The product.'); script('teaches', 'I explain.', 'More.')\n"
    )
    cells = [
        ("one", "%%agent -s chat -m talks\nOne"),
        ("reads", "%%agent -s chat --attach notes.txt\nRead"),
        ("plan", "%%agent -s chat -m plans --plan\nPlan it"),
        ("goes", "%agent go -s chat"),
        ("back", "%agent rewind -s chat 3"),
        ("other", "%%agent -s chat -m talks\nAnother way"),
        ("team", "%%agent -s team --yes --model root=boss helper=helps tutor=teaches\nCount"),
        ("hands", "%%agent -s team\nExplain"),
        ("more", "%%agent -s team\nMore"),
    ]

    def outputs(name, setup):
        (tmp_path / name).mkdir()
        kernel = Kernel(tmp_path / name)
        try:
            kernel.start()
            kernel.run(f"%load_ext sessionmagic\n%cd -q {folder}\n%config AgentMagics.replay = {str(file)!r}").ok()
            kernel.run(setup).ok()
            shown = [kernel.run(line, cell_id=cell).ok() for cell, line in cells]
            texts = [cell.text for cell in shown]
            return texts, json.dumps(
                [(each.get("data"), each.get("text")) for cell in shown for each in cell.everything]
            )
        finally:
            kernel.shutdown(now=True)

    filled, _ = outputs("filled", f"{models}%config AgentMagics.replay_mode = 'fill'")
    first, second = outputs("first", ""), outputs("second", "")
    assert first == second
    assert first[0] == filled
    assert first[0][6:] == ["It is 42.", "One moment.\n\nI explain.", "More."]


@pytest.mark.usefixtures("recording")
def test_show_plays_a_session_with_its_calls_and_asks_nothing(kernel, session):
    kernel.run("RAN.clear()").ok()
    cell = kernel.run(f"%agent replay {session} --speed 20").ok()
    assert "What is one plus two?" in cell.html
    assert "Hello <strong>world</strong>" in cell.html
    assert cell.html.index("Let me add") < cell.html.index("It is <strong>3</strong>") < cell.html.index("And who are")
    assert kernel.value("RAN") == "[]"
    assert len(kernel.run(f"%agent show {session}").ok().outputs) == 2


def test_show_of_a_file_needs_no_session(recording, offline):
    file, _ = recording
    cell = offline.run(f"%agent replay {file} --turn 2 --speed 0").ok()
    assert "Hello <strong>world</strong>" in cell.html
    assert "one plus two" not in cell.html
    assert offline.value("len(get_ipython().run_line_magic('agent', 'sessions'))") == "0"


@pytest.mark.usefixtures("recording")
def test_step_by_step_with_enter_where_no_button_can_be_clicked(kernel, session):
    kernel.run("%config AgentMagics.view = 'text'").ok()
    try:
        cell = kernel.send(f"%agent replay {session} --turn 1 --step")
        for words in ("Let me add", "add", "It is"):
            assert "Enter goes on" in kernel.reply("")
            cell.until_shows(words)
        cell.wait().ok()
    finally:
        kernel.run("%config AgentMagics.view = 'auto'").ok()


@pytest.mark.threads
@needs_subshells
@pytest.mark.usefixtures("recording")
def test_step_by_step_each_click_goes_on(kernel, session):
    cell = kernel.run(f"%agent replay {session} --step").ok()

    def next_button():
        return [key for key, state in kernel.widgets().items() if state.get("description") == "Next"][-1]

    cell.until_shows("What is one plus two?")
    assert "Let me add" not in cell.words
    for words in ("Let me add", "3"):
        kernel.click(next_button())
        cell.until_shows(words)


@pytest.mark.threads
@needs_subshells
@pytest.mark.usefixtures("recording")
def test_step_by_step_a_show_that_is_stopped_says_so(kernel, session):
    cell = kernel.run(f"%agent replay {session} --step").ok()
    cell.until_shows("What is one plus two?")
    kernel.click(cell.until(lambda cell: "Stop" in str(cell.widgets)).button("Stop"))
    cell.until(lambda cell: "stopped" in cell.text.splitlines())
    assert "all was shown" not in cell.text


@pytest.mark.usefixtures("recording")
@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("replay nobody", "no session or file is called 'nobody'"),
        ("replay {session} --turn 9", "has no turn 9 to show"),
        ("replay {session} --speed -1", "--speed -1 is not a speed"),
        ("record {session} lesson.txt", "name it lesson.jsonl"),
    ],
)
def test_what_cannot_be_shown_or_recorded_is_one_line(kernel, session, line, says):
    assert says in kernel.run(f"%agent {line.format(session=session)}").wait().evalue


def test_turns_of_sub_agents_are_not_other_branches(offline, tmp_path):
    file = tmp_path / "agents.yaml"
    file.write_text(
        "agents:\n  root: {model: boss, instruction: Lead., sub_agents: [helper]}\n"
        "  helper: {model: helps, description: Helps., instruction: Help.}\n"
    )
    offline.run("from sessionmagic.testing import call, script").ok()
    task = {"agent": "helper", "task": "Count", "expected_output": "a number"}
    offline.run(f"script('boss', [call('transfer_task', {task})], 'Done.'); script('helps', 'Three.')").ok()
    offline.run(f"%agent agents load {file}").ok()
    offline.run("%%agent -s lesson\nGo").ok()
    said = offline.run(f"%agent record lesson {tmp_path / 'lesson.jsonl'}").ok().text
    assert "(1 turn)" in said
    assert "branches" not in said


def test_lesson_that_runs_offline_twice_has_the_same_outputs(recording, tmp_path_factory):
    file, _ = recording

    def outputs():
        kernel = Kernel(tmp_path_factory.mktemp("offline"))
        try:
            kernel.start()
            kernel.run("%load_ext sessionmagic").ok()
            kernel.run(f"%config AgentMagics.replay = {str(file)!r}\n{TOOL}").ok()
            cells = [
                kernel.run("%%agent -m openai:gpt-5.2 --tools add\nWhat is one plus two?").ok(),
                kernel.run("%%agent\nAnd who are you?").ok(),
                kernel.run(f"%agent replay {file} --speed 0").ok(),
            ]
            return [(each["data"], each["metadata"]) for cell in cells for each in cell.everything]
        finally:
            kernel.shutdown(now=True)

    first, second = outputs(), outputs()
    assert json.dumps(first) == json.dumps(second)
    assert len(first) > 6
