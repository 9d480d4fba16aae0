"""The work of a sub-agent on the page: folded while it works, opened by its question, and saved with the call."""

from playwright.sync_api import expect

from tests.browser.lab import SECONDS

FILE = {"agents": {"root": {"sub_agents": ["researcher"]}, "researcher": {}}}
STEPS = """
gives = call('transfer_task', agent='researcher', task='Add the numbers.', expected_output='One number.')
script('boss', [gives], 'It is 42.')
script('work', ['Adding them first. ', call('look')], [call('run_python', code='print(40 + 2)')], 'The sum is 42.')
"""
LOOKS = """
import pathlib, time
from sessionmagic import tool
@tool(read_only=True)
def look():
    while not pathlib.Path('looked').exists(): time.sleep(0.01)
"""
BACKGROUNDS = """work => [...work.querySelectorAll('pre'), work].map(part => getComputedStyle(part).backgroundColor)"""


def test_work_is_folded_until_it_asks_and_saved_with_its_call(notebook):
    asks = "%%agent -s team_on_page --model root=boss researcher=work\nAdd."
    it = notebook("%agent agents load team", asks, setup=f"{LOOKS}{STEPS}team = {FILE!r}\n")
    it.use_theme("Dark")
    it.run(1)
    it.expect_done(1)
    it.run(2)
    expect(it.area(2).get_by_text("researcher · running look").first).to_be_visible(timeout=SECONDS)
    expect(it.area(2).get_by_text("Adding them first.")).to_be_hidden()
    (it.lab.root / "looked").touch()
    expect(it.area(2).get_by_role("button", name="Approve")).to_be_visible(timeout=SECONDS)
    expect(it.area(2).get_by_text("researcher asks because").first).to_be_visible()
    expect(it.area(2).get_by_text("Adding them first.")).to_be_visible()
    backgrounds = it.area(2).locator(".jupyter-widget-Collapse-contents").evaluate(BACKGROUNDS)
    assert len(backgrounds) > 1
    assert len(set(backgrounds) - {"rgba(0, 0, 0, 0)"}) == 1
    it.area(2).get_by_role("button", name="Approve").click()
    it.expect_done(2)
    answer = it.cell(2)
    expect(answer.get_by_text("It is 42.").first).to_be_visible(timeout=SECONDS)
    expect(answer.get_by_text("The sum is 42.").first).to_be_hidden()
    answer.get_by_text("transfer_task · researcher").first.click()
    expect(answer.get_by_text("The sum is 42.").first).to_be_visible()
