"""JupyterLab with jupyter-collaboration: two users see one notebook."""

import pytest
from playwright.sync_api import expect

from tests.browser.lab import SECONDS, Lab, Notebook

ENVIRONMENT = "collaboration"
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
FIGURE = f"from IPython.display import Image\\nimport base64\\ndisplay(Image(base64.b64decode('{PICTURE}')))"
ACTS = f"""script(
    "acts",
    ["First words.", call("run_python", code="{FIGURE}")],
    ["Second words.", call("run_python", code="2")],
    ["It is **42**."],
);
"""


@pytest.fixture(scope="module")
def lab(browser, python, tmp_path_factory):  # noqa: ARG001  without a browser there is nothing to serve
    lab = Lab(tmp_path_factory.mktemp("collaboration"), python)
    yield lab
    lab.close()


@pytest.fixture
def users(browser, lab):
    """One notebook in the pages of two users. The first one has run the setup cell."""
    lab.write("shared.ipynb", "%%agent -s shared -m acts\nGo.", "%agent config", setup=ACTS)
    first, second = (
        Notebook(lab, each.new_page(), "shared.ipynb") for each in (browser, browser.browser.new_context())
    )
    first.open().wait_for_kernel().set_up()
    second.open().wait_for_kernel()
    yield first, second
    second.page.context.close()
    first.page.close()
    lab.end_kernels()


def approve(user):
    user.output(1).get_by_role("button", name="Approve").locator("visible=true").click(timeout=SECONDS)


def trust(user):
    user.page.evaluate("void jupyterapp.commands.execute('notebook:trust')")
    user.page.locator(".jp-Dialog").get_by_role("button", name="Trust").click()


def test_both_users_see_the_turn_and_its_answer_in_order(users):
    first, second = users
    first.run(2)
    expect(first.output(2)).to_contain_text("a notebook page that others may have open too", timeout=SECONDS)
    first.run(1)
    expect(second.output(1).get_by_text("trust this notebook to watch it")).to_be_visible(timeout=SECONDS)
    expect(second.output(1)).to_contain_text("First words.", timeout=SECONDS)
    trust(second)
    approve(second)
    approve(first)
    for user in users:
        user.expect_done(1)
        expect(user.output(1)).to_contain_text("shared · turn 1", timeout=SECONDS)
        shown = user.output(1).inner_text()
        places = [shown.index(words) for words in ("First words.", "Second words.", "It is 42.", "shared · turn 1")]
        assert places == sorted(places)
        assert shown.count("It is 42.") == 1
        assert "not finished" not in shown
        expect(user.output(1).locator("img")).to_have_count(1)
