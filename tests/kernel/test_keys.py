"""Keys in a real kernel: what the model, the page, the notebook and the store get of them."""

import pytest

from tests.kernel.acting import acts as register
from tests.kernel.acting import asked, in_background, question, told, until_over

pytestmark = pytest.mark.once

SHAPED = "sk-ant-" + "a1B2c3D4e5F6" * 8
TYPED = "hunter2-xyz"
LEFT_OUT = "[key left out]"


@pytest.fixture
def acts(kernel):
    yield lambda *steps: register(kernel, *steps)
    kernel.run("%reset -f in").ok()


def kept(kernel):
    """Return all that the store has on disk."""
    return b"".join(path.read_bytes() for path in kernel.store.rglob("*") if path.is_file()).decode(errors="replace")


def test_keys_are_sent_in_the_one_turn_that_says_so_and_never_stored_or_shown(kernel, session, acts):
    kernel.run(f"db_password = {TYPED!r}").ok()
    acts(f"It is {SHAPED}.", "Fine.")
    prompt = f"use {SHAPED} and $`db_password`"
    cell = kernel.run(f"%%agent -m acts -s {session} --send-keys\n{prompt}").ok()
    assert asked(kernel) == [f"use {SHAPED} and {TYPED}"]
    assert f"It is {LEFT_OUT}." in cell.answer["data"]["text/plain"]
    assert "sent because of --send-keys, but not stored or shown: " in cell.html
    again = kernel.run(f"%%agent -m acts -s {session}\nand $`db_password`").ok()
    assert asked(kernel) == [f"use {LEFT_OUT} and {LEFT_OUT}", f"and {LEFT_OUT}"]
    assert "left out of what is sent, stored and shown: the value of db_password (prompt)" in again.html
    shown = kernel.run(f"%agent show {session}").ok()
    sent = kernel.run(f"%agent show {session} --sent").ok()
    pages = [f"{each.text}{each.html}{each.area}" for each in (cell, again, shown, sent)]
    assert not any(secret in page for secret in (SHAPED, TYPED) for page in (*pages, kept(kernel)))


def test_tools_that_look_give_no_keys(kernel, session, acts):
    kernel.run("import os\npw = 'abc12'\nurl = 'postgres://me:xyz-987@host/db'\nsome_token = 'q7w8e9r0t1'").ok()
    kernel.run("[some_token]").ok()
    looks = [("read_cells", {}), *(("inspect_variable", {"name": name}) for name in ("pw", "url", "some_token"))]
    acts(looks, "Done.")
    cell = kernel.run(f"%%agent -m acts -s {session}\ngo").ok()
    cells, pw, url, token = (text for _, _, text in told(kernel))
    assert pw == f"pw = '{LEFT_OUT}'"
    assert f"postgres://me:{LEFT_OUT}@host/db" in url
    assert "[key left out]" in token
    for secret in ("abc12", "xyz-987", "q7w8e9r0t1"):
        assert not any(secret in text for text in (cells, pw, url, token, cell.text, cell.html, kept(kernel)))


def test_list_of_waiting_calls_shows_no_keys(kernel, session, acts):
    acts([("run_python", {"code": f"connect(password='{TYPED}')"})], "Done.")
    in_background(kernel, session)
    waiting = question(kernel, "run_python")
    listed = kernel.run("%agent approve").ok()
    assert TYPED not in f"{listed.text}{listed.html}"
    assert "connect(password=" in listed.text
    kernel.run(f"%agent approve {waiting} --reject").ok()
    until_over(kernel)


def test_keys_in_a_file_from_elsewhere_are_neither_sent_nor_shown(kernel, session, acts):
    acts("Fine.", "Fine.")
    kernel.run(f"%%agent -m acts -s {session}\nword-in-its-place").ok()
    [file] = [
        path
        for path in kernel.store.rglob("*")
        if path.is_file() and b"word-in-its-place" in path.read_bytes() and "index" not in path.name
    ]
    file.write_text(file.read_text().replace("word-in-its-place", SHAPED))
    shown = kernel.run(f"%agent show {session}").ok()
    listed = kernel.run("%agent sessions").ok()
    kernel.run(f"%%agent -m acts -s {session}\nagain").ok()
    assert asked(kernel) == [LEFT_OUT, "again"]
    assert SHAPED not in f"{shown.text}{shown.html}{listed.text}{listed.html}"
