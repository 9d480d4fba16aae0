"""What a scratch kernel is started with: nothing leads to the store."""

from pathlib import Path

import pytest

from sessionmagic.notebook.kernel.surroundings import kernel_environment, working_directory


def test_environment_has_no_keys_and_names_the_store_nowhere(monkeypatch, tmp_path):
    store = tmp_path / "store"
    monkeypatch.setenv("SESSIONMAGIC_HOME", str(tmp_path / "other"))
    monkeypatch.setenv("LAB_API_KEY", "a key of the lab")
    monkeypatch.setenv("OLDPWD", f"{store}/sessions")
    monkeypatch.setenv("HARMLESS", str(tmp_path))
    found = kernel_environment(store)
    assert not {"SESSIONMAGIC_HOME", "LAB_API_KEY", "OLDPWD"} & found.keys()
    assert found["HARMLESS"] == str(tmp_path)
    assert not any(str(store) in value for value in found.values())


def test_environment_names_a_store_that_is_given_by_a_relative_path_nowhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLACE", f"{tmp_path}/store")
    assert "PLACE" not in kernel_environment(Path("store"))


@pytest.mark.parametrize("inside", ["", "sessions"])
def test_working_directory_is_not_in_the_store(monkeypatch, tmp_path, inside):
    (tmp_path / "store" / "sessions").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "store")
    monkeypatch.chdir(tmp_path / "store" / inside)
    for store in (tmp_path / "store", tmp_path / "link"):
        assert working_directory(store) == str(Path.home())


def test_working_directory_is_that_of_the_notebook(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert working_directory(tmp_path / "store") == str(tmp_path)
