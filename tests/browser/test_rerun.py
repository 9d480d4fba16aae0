"""A notebook that runs from the top again, in JupyterLab."""

from playwright.sync_api import expect

from sessionmagic import SessionManager, TinyStore
from tests.browser.lab import KERNEL_READY, SECONDS

RESTART = """async () => {
    const widget = jupyterapp.shell.currentWidget;
    await widget.sessionContext.session.kernel.restart();
    await widget.sessionContext.session.kernel.info;
}"""
RUN_ALL = "() => jupyterapp.commands.execute('notebook:run-all-cells')"
PROMPTS = 'script("prompts", scripted.lists_prompts);'


def stored(lab):
    """What the session's next turn continues: each turn of the path, with its prompt and its answer."""
    session = SessionManager(TinyStore(lab.root.parent / "sessions")).sessions.load("again")
    return [(turn.prompt, turn.messages[-1]["parts"][0]["content"]) for turn in session.path()], len(session.turns)


def test_restart_and_run_all_gives_the_same_conversation_once(notebook, lab):
    it = notebook("%%agent -s again -m prompts\na", "%%agent -s again\nb", setup=PROMPTS)
    it.page.evaluate(RUN_ALL)
    expect(it.answer(2)).to_contain_text("again · turn 2", timeout=SECONDS)
    first, _ = stored(lab)
    it.page.evaluate(RESTART)
    it.page.evaluate(KERNEL_READY)
    it.page.evaluate(RUN_ALL)
    expect(it.answer(2)).to_contain_text("again · turn 4", timeout=2 * SECONDS)
    second, turns = stored(lab)
    assert second == first == [("a", "a"), ("b", "a\nb")]
    assert turns == 4
    expect(it.answer(1)).to_contain_text("in the place of turn 1; it and 1 later turn are kept: %agent use again@2")
