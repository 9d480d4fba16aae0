"""The report for a bug report: what is installed and set up, and what to do about the rest."""

import hashlib
import os
import re
import sys
from importlib import metadata
from unittest.mock import Mock

import pytest

from sessionmagic.__main__ import main
from sessionmagic.doctor import checks
from sessionmagic.models.weights import DEMO_FILE
from sessionmagic.notebook.commands import run_command
from sessionmagic.notebook.context import NotebookContext
from sessionmagic.notebook.settings import Settings
from sessionmagic.storage.tiny import TinyStore
from tests.stored import session

pytestmark = pytest.mark.usefixtures("home")

KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "SSL_CERT_FILE", "HTTPS_PROXY")


@pytest.fixture(autouse=True, scope="module")
def _weights_are_hashed_once():
    """Remember the hash of a file: each test has a home of its own, where that of the demo model is not known yet."""
    known, file_digest = {}, hashlib.file_digest

    def remembered(file, kind):
        stat = os.fstat(file.fileno())
        key = (file.name, stat.st_size, stat.st_mtime_ns, kind)
        if key not in known:
            known[key] = file_digest(file, kind)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashlib, "file_digest", remembered)
        yield


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SESSIONMAGIC_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def check(about):
    [found] = [each for each in checks() if each.about == about]
    return found


def test_version_is_that_of_the_installed_package(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (0, f"sessionmagic {metadata.version('sessionmagic')}\n")


def test_help_comes_without_a_command(capsys):
    assert main([]) == 0
    assert "doctor" in capsys.readouterr().out


def test_report_names_versions_and_python():
    assert f"ipywidgets {metadata.version('ipywidgets')}" in check("libraries").found
    assert f"ipykernel {metadata.version('ipykernel')}" in check("front ends").found
    assert sys.version.split()[0] in check("Python").found


def test_no_store_is_made_where_no_session_was_stored(home):
    assert "no sessions yet" in check("store").found
    assert not (home / "sessions").exists()


def test_stored_sessions_are_counted(home):
    store = TinyStore(home)
    store.create(session(name="a"))
    assert "1 session," in check("store").found
    store.create(session(name="b"))
    assert "2 sessions," in check("store").found


def test_store_that_cannot_be_written_is_wrong(home, capsys, monkeypatch):
    home.parent.joinpath("file").touch()
    monkeypatch.setenv("SESSIONMAGIC_HOME", str(home.parent / "file" / "home"))
    assert check("store").wrong
    assert main(["doctor"]) == 1
    assert "✗" in capsys.readouterr().out


def test_file_that_is_no_session_is_named(home):
    TinyStore(home).create(session(name="a"))
    (home / "sessions" / "notes.json").write_text("{}")
    store, note = [each for each in checks() if each.about == "store"]
    assert (store.wrong, note.wrong) == (False, False)
    assert "notes.json" in note.advice


def test_key_is_named_and_never_shown(monkeypatch, capsys):
    assert "openai," in check("other providers").found
    monkeypatch.setenv("OPENAI_API_KEY", "sk-plainly-a-secret-key-of-mine")
    assert check("provider openai").found == "OPENAI_API_KEY is set"
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert "OPENAI_API_KEY is set" in printed
    assert "plainly" not in printed


def test_key_that_cannot_be_sent_is_wrong(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "two\nlines")
    assert check("provider openai").wrong
    assert "a line break" in check("provider openai").advice


def test_provider_with_a_key_and_without_its_library_says_what_to_install(monkeypatch):
    monkeypatch.setattr("sessionmagic.models.providers.find_spec", lambda _: None)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "key")
    found = check("provider anthropic")
    assert 'pip install "sessionmagic[anthropic]"' in found.advice
    assert not found.wrong


def test_extra_that_is_missing_says_what_to_install(monkeypatch):
    real = metadata.version

    def without_scipy(name):
        if name == "scipy":
            raise metadata.PackageNotFoundError
        return real(name)

    monkeypatch.setattr(metadata, "version", without_scipy)
    found = check("extra compare")
    assert re.fullmatch(r"pandas [\d.]+, statsmodels [\d.]+; scipy not installed", found.found)
    assert found.advice == 'pip install "sessionmagic[compare]"'


def test_weights_are_named_and_damaged_ones_are_wrong(home):
    (home / "models").mkdir(parents=True)
    (home / "models" / "mine.gguf").write_bytes(b"GGUF" + bytes(2_000_000))
    assert check("model local").found.startswith("ready; mine.gguf (2 MB)")
    (home / "models" / DEMO_FILE).write_bytes(b"GGUF" + bytes(100))
    assert check("model local").wrong
    assert "damaged" in check("model local").advice


def test_weights_that_are_no_model_are_wrong(home):
    (home / "models").mkdir(parents=True)
    (home / "models" / "mine.gguf").write_text("not found")
    assert check("model local").wrong
    assert "is not a GGUF file" in check("model local").advice


def test_home_of_an_unknown_user_is_wrong(monkeypatch, capsys):
    monkeypatch.setenv("SESSIONMAGIC_HOME", "~nosuch/sessions")
    assert check("store").advice.endswith("SESSIONMAGIC_HOME=~nosuch/sessions; set it to a full path")
    assert main(["doctor"]) == 1
    assert "model local" not in capsys.readouterr().out


def test_notebook_reports_a_store_that_cannot_be_opened(monkeypatch):
    monkeypatch.setenv("SESSIONMAGIC_HOME", "~nosuch/sessions")
    context = NotebookContext(Mock(kernel=None, user_ns={}), Settings())
    assert "set it to a full path" in repr(run_command(context, "doctor"))
    context.settings.store = "~nosuch/others"
    assert "cannot store sessions in '~nosuch/others'" in repr(run_command(context, "doctor"))


def test_clone_that_is_not_installed_says_so(monkeypatch):
    installed = metadata.distribution

    def distribution(name):
        if name == "sessionmagic":
            raise metadata.PackageNotFoundError(name)
        return installed(name)

    monkeypatch.setattr(metadata, "distribution", distribution)
    assert check("sessionmagic").found.startswith("not installed, but in ")
    assert check("libraries").advice == "pip install . in its clone"


def test_certificates_that_do_not_exist_are_wrong(monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull + "-none")
    assert check("certificates").wrong


def test_proxy_is_named_without_its_password(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://me:hunter2@127.0.0.1:9")
    assert check("proxies").found.startswith("set for https")
    assert "hunter2" not in repr(checks())


def test_user_is_not_named_in_paths(home, monkeypatch):
    monkeypatch.setenv("HOME", str(home.parent))
    monkeypatch.setenv("USERPROFILE", str(home.parent))
    assert check("store").found.startswith("~/home (SESSIONMAGIC_HOME)")
