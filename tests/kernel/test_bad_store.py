"""A store that is damaged or cannot be written: one clear line, the other sessions work, nothing is lost."""

import json

import pytest

pytestmark = pytest.mark.once


@pytest.fixture
def chat(kernel, session):
    """A session and its file."""
    kernel.run(f"%%agent -m hello -s {session}\nfirst").ok()
    files = (kernel.store / "sessions").glob("*.json")
    (path,) = [path for path in files if session in path.read_text(errors="replace")]
    return session, path


@pytest.mark.parametrize(
    "damage", [b"", b'{"session": {"1": {"id"', b"\xff\x00 not json", b"[1, 2]", b'{"session": {}}']
)
def test_a_damaged_file_is_set_aside_and_the_other_sessions_work(kernel, chat, session, damage):
    name, path = chat
    path.write_bytes(damage)
    cell = kernel.run(f"%%agent -m hello -s {name}\nsecond")
    assert cell.ename == "SessionUnreadableError"
    assert "\n" not in cell.traceback
    assert path.name in cell.evalue
    kept = [each for each in path.parent.iterdir() if each.name.startswith(path.name) and each.read_bytes() == damage]
    assert kept
    kernel.run(f"%%agent -m hello -s {session}-other\nhi").ok()
    assert f"{session}-other" in kernel.run("%agent sessions").ok().text


def test_a_file_of_a_newer_version_is_left_alone(kernel, chat):
    name, path = chat
    content = json.loads(path.read_text())
    content["session"]["1"]["schema"] = 99
    path.write_text(json.dumps(content))
    before = path.read_bytes()
    for code in (f"%%agent -m hello -s {name}\nsecond", f"%agent show {name}", f"%agent star {name}"):
        cell = kernel.run(code)
        assert cell.ename == "SessionSchemaError"
        assert "\n" not in cell.traceback
    assert path.read_bytes() == before
    path.unlink()


def test_a_store_that_is_missing_is_made_private(kernel, session, tmp_path):
    home = tmp_path / "not" / "yet" / "there"
    kernel.run(f"%config AgentMagics.store = {str(home)!r}").ok()
    assert kernel.run("%agent sessions").status == "ok"
    kernel.run(f"%%agent -m hello -s {session}\nhi").ok()
    (path,) = (home / "sessions").glob("*.json")
    assert path.stat().st_mode & 0o777 == 0o600
    assert (home / "sessions").stat().st_mode & 0o777 == 0o700
    assert home.stat().st_mode & 0o777 == 0o700
    kernel.run("%config AgentMagics.store = ''").ok()


def test_a_store_that_cannot_be_written_is_said_in_one_line(kernel, session, tmp_path):
    (tmp_path / "file").write_text("no directory")
    kernel.run(f"%config AgentMagics.store = {str(tmp_path / 'file' / 'store')!r}").ok()
    cell = kernel.run(f"%%agent -m hello -s {session}\nhi")
    kernel.run("%config AgentMagics.store = ''").ok()
    assert cell.ename == "StoreError"
    assert "\n" not in cell.traceback
    assert [output["type"] for output in cell.outputs] == ["error"]


def test_a_disk_that_fills_up_in_mid_turn_costs_no_words(kernel, session, pen):
    """The write at the turn's end fails: the user sees the answer and that it was not stored."""
    kernel.run(f"%%agent -m hello -s {session}\nfirst").ok()
    kernel.run(
        "from sessionmagic.storage.session_files import SessionFiles\n"
        "_commit = SessionFiles.commit\n"
        "def full(*_):\n"
        "    raise OSError(28, 'No space left on device')\n"
    ).ok()
    cell = kernel.run(f"%%agent -m dictated -b -s {session} -o full_turn\n{pen}").ok()
    cell.until_shows("waiting for the model")
    kernel.run("SessionFiles.commit = full").ok()
    pen.write("the answer")
    pen.end()
    kernel.run("import time\nwhile not full_turn.finished: time.sleep(0.01)").ok()
    kernel.run("SessionFiles.commit = _commit").ok()
    assert kernel.value("str(full_turn)") == "'the answer'"
    assert "No space left" in kernel.value("str(full_turn.error)")
    again = kernel.run(f"%%agent -m recalls -s {session}\nagain").ok()
    assert "user-prompt: first" in again.text
