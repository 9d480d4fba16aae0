import os
import shutil

import pytest

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


def find_chromium():
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def _missing(what):
    if os.environ.get("CI"):
        pytest.fail(f"{what} is not installed, and CI must not skip the browser tests")
    pytest.skip(f"{what} is not installed")


def _chromium():
    for module in ("playwright", "jupyterlab"):
        try:
            __import__(module)
        except ImportError:
            _missing(module)
    return find_chromium() or _missing("Chromium")


# The scope is the package, not the session: while Playwright runs, asyncio.run does not work in this thread.
@pytest.fixture(scope="package")
def browser():
    path = _chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # users see scroll bars, but Playwright hides them by default
        browser = playwright.chromium.launch(
            executable_path=path, args=FLAGS, ignore_default_args=["--hide-scrollbars"]
        )
        yield browser.new_context(viewport={"width": 1000, "height": 1400})
        browser.close()


@pytest.fixture(scope="package")
def lab(browser, tmp_path_factory):  # noqa: ARG001  without a browser there is nothing to serve
    from tests.browser.lab import Lab

    lab = Lab(tmp_path_factory.mktemp("lab"))
    yield lab
    lab.close()


@pytest.fixture(scope="package")
def lab_page(browser):
    """A page that stays in JupyterLab, which takes seconds to load."""
    page = browser.new_page()
    page.on("dialog", lambda dialog: dialog.accept())  # asks before unsaved changes are lost
    return page


@pytest.fixture
def page(lab_page, lab):
    from tests.browser.lab import leave

    yield lab_page
    leave(lab_page)
    lab.end_kernels()


@pytest.fixture
def notebook(request, lab, page):
    """Open a notebook, named after the test, with the given cells, and run its setup cell."""
    from tests.browser.lab import Notebook

    def make(*cells, setup=""):
        name = f"{request.node.name.removeprefix('test_')}.ipynb"
        lab.write(name, *cells, setup=setup)
        return Notebook(lab, page, name).open().wait_for_kernel().set_up()

    return make
