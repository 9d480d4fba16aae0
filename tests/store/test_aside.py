from pathlib import Path

from sessionmagic.storage import aside

ID = "20261129-080000-0a1b2c3d"


def test_a_damaged_file_that_cannot_be_renamed_is_left_unchanged(tmp_path, monkeypatch):
    path = tmp_path / f"{ID}.json"
    path.write_text("{")

    def fails(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", fails)
    error = aside.set_aside(path, ValueError("it is not JSON"))
    assert str(error) == f"session file {path} cannot be read (not a session: it is not JSON); it was left unchanged"
    assert path.read_text() == "{"


def test_a_journal_whose_session_was_just_created_is_no_problem(tmp_path, monkeypatch):
    journal, snapshot = tmp_path / f"{ID}.journal", tmp_path / f"{ID}.json"
    journal.touch()
    monkeypatch.setattr(aside, "names_in", lambda _: [journal.name])
    assert [note.split()[1] for note in aside.notes_on(tmp_path)] == ["continues"]
    snapshot.touch()
    assert aside.notes_on(tmp_path) == []
