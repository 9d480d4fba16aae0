"""A comparison with an older revision, in a small repository whose package has a figure."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import against, revision
from benchmarks.against import compare
from benchmarks.revision import ROOT, RevisionError

pytestmark = [pytest.mark.once, pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")]

GROUP = """
from benchmarks.figures import Figure, sample
import sessionmagic

def measure(runs):
    print("a line that is no figure")
    return [Figure("size", sample([sessionmagic.SIZE] * runs, "{:.0f}"))]
"""


def git(repository, *arguments):
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    command = [shutil.which("git"), *identity, *arguments]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True).stdout


def worktrees(repository):
    return len(git(repository, "worktree", "list").splitlines())


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Return a repository with the tags `small` and `large`, and a package of size 2 in between."""
    root = tmp_path / "repository"
    for name in ("benchmarks", "tests", "sessionmagic"):
        (root / name).mkdir(parents=True)
        (root / name / "__init__.py").touch()
    git(root, "init", "--quiet")
    for size, tag in ((1, "small"), (4, "large"), (2, "between")):
        (root / "sessionmagic" / "__init__.py").write_text(f"SIZE = {size}\n")
        git(root, "add", ".")
        git(root, "commit", "--quiet", "--message", tag)
        git(root, "tag", tag)
    for name in ("figures", "part", "subjects"):  # the older revisions had none
        shutil.copy(ROOT / "benchmarks" / f"{name}.py", root / "benchmarks")
    (root / "benchmarks" / "sizes.py").write_text(GROUP)
    monkeypatch.setattr(against, "parts_of", lambda _: {"": None})
    return root


def compared(root, tag):
    return compare(tag, ["sizes"], quick=True, root=root, environment=lambda *_: Path(sys.executable))


@pytest.mark.parametrize(
    ("tag", "code", "words"),
    [("small", 1, "2.00 × worse"), ("large", 0, "0.50 × better"), ("between", 0, "1.00 × same")],
)
def test_todays_benchmarks_measure_both_revisions(repository, capsys, tag, code, words):
    assert compared(repository, tag) == code
    assert words in " ".join(capsys.readouterr().out.splitlines()[-1].split())
    assert worktrees(repository) == 1


def test_each_revision_is_measured_in_an_environment_made_for_it(repository, capsys):
    """Some libraries import what else is installed, so the environment of today's revision may be the slower one."""

    def environment(directory, place):
        python = place.with_suffix(".sh")
        size = 6 if directory == repository else 2
        python.write_text(f'#!/bin/sh\nSIZE={size} exec {sys.executable} "$@"\n')
        python.chmod(0o700)
        return python

    group = GROUP.replace("sessionmagic.SIZE", "int(os.environ['SIZE'])")
    (repository / "benchmarks" / "sizes.py").write_text(f"import os\n{group}")
    assert compare("between", ["sizes"], quick=True, root=repository, environment=environment) == 1
    assert "3.00 × worse" in " ".join(capsys.readouterr().out.split())


def test_a_worse_figure_is_measured_again(repository, capsys):
    compared(repository, "small")
    assert capsys.readouterr().err.count("now") == 2 * against.QUICK_ROUNDS


def test_what_the_older_revision_cannot_do_is_a_line(repository, capsys):
    (repository / "sessionmagic" / "new.py").touch()
    group = repository / "benchmarks" / "sizes.py"
    group.write_text(f"import sessionmagic.new\n{GROUP}")
    assert compared(repository, "small") == 0
    assert "ModuleNotFoundError: No module named 'sessionmagic.new'" in capsys.readouterr().out


def test_what_fails_now_is_a_line(repository, capsys):
    (repository / "benchmarks" / "sizes.py").write_text("raise KeyError('size')")
    assert compared(repository, "small") == 1
    assert "sizes: FAILED" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["nowhere", "", "--all", "a b;c", "small\0", "small..large", "-x\n"])
def test_an_unknown_revision_is_one_line(repository, capsys, name):
    assert compared(repository, name) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"cannot compare with {name!r}: there is no revision")


def test_a_directory_without_a_repository_is_one_line(tmp_path, capsys):
    assert compared(tmp_path, "main") == 2
    assert "is not a git repository; " in capsys.readouterr().err


def test_an_environment_that_cannot_be_made_is_one_line(repository, capsys):
    def fail(*_, **__):
        raise RevisionError("pip failed (no route to host); check the network and the disk")

    assert compare("small", ["sizes"], quick=True, root=repository, environment=fail) == 2
    assert "cannot compare with 'small': pip failed" in capsys.readouterr().err.splitlines()[-1]
    assert worktrees(repository) == 1


def test_only_the_dependency_groups_of_the_older_revision_are_installed(tmp_path):
    project = tmp_path / "pyproject.toml"
    project.write_text('[dependency-groups]\ntest = ["pytest"]\ncheck = ["ruff"]')
    assert revision.wanted(tmp_path) == ["--editable", str(tmp_path), f"--group={project}:test"]
    project.write_text("[project]")
    assert revision.wanted(tmp_path) == ["--editable", str(tmp_path)]


def test_what_an_installer_says_becomes_one_line():
    code = "import sys; sys.exit('Resolving\\nerror: no wheel\\n  Caused by: a\\n  Caused by: no route\\nhint: wait')"
    words = r"failed \(error: no wheel: Caused by: no route\); check the network and the disk$"
    with pytest.raises(RevisionError, match=words):
        revision.run([sys.executable, "-c", code])


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_when_it_is_stopped(repository, tmp_path, stop):
    begun = tmp_path / "begun"
    os.mkfifo(begun)
    wait = f"open({str(begun)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    (repository / "benchmarks" / "sizes.py").write_text(f"import os, time\ndef measure(runs):\n    {wait}\n")
    code = f"""
import sys
from pathlib import Path
from benchmarks import against
against.parts_of = lambda _: {{"": None}}
python = Path(sys.executable)
sys.exit(against.compare("small", ["sizes"], quick=True, root=Path({str(repository)!r}), environment=lambda *_: python))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, text=True)
    measuring = int(begun.read_text())
    process.send_signal(stop)
    errors = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "interrupted"
    assert worktrees(repository) == 1
    assert not list(tmp_path.glob("benchmark-*"))
    with pytest.raises(ProcessLookupError):
        os.kill(measuring, 0)
