"""What is installed and set up here, for a bug report: versions, providers and their keys, weights, and the store."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import getproxies

from sessionmagic.exceptions import ModelReferenceError, SessionMagicError, StoreError
from sessionmagic.home import default_home
from sessionmagic.models.clients import missing_certificates
from sessionmagic.models.providers import PROVIDERS
from sessionmagic.models.weights import DEMO_MODEL, check_installed, check_weights, find_weights
from sessionmagic.words import counted, words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PAGES = (
    "jupyterlab", "notebook", "nbclassic", "jupyter-server", "jupyterlab-widgets", "jupyter-collaboration",
    "jupyter-server-documents", "jupyter-server-nbmodel", "jupyter-ai", "jupyter-console", "qtconsole", "euporie",
    "nbclient", "nbconvert", "papermill", "voila", "marimo", "xeus-python", "ipykernel",
)  # fmt: skip
"""The packages that show and run notebooks, of which those that are installed are named."""
LITTLE_ROOM = 100_000_000
"""Bytes that are free on the store's disk, below which it is said."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report.

    Attributes:
        about: What was looked at.
        found: What is there.
        advice: What to do about it; empty if nothing must be done.
        wrong: Whether something that is set up does not work, and not only something optional is missing.
    """

    about: str
    found: str
    advice: str = ""
    wrong: bool = False


def checks(home_of_store: Callable[[], Path] = default_home) -> list[Check]:
    """Return the report on this environment, without keys and without the user's name in paths.

    No network is used, and no model is loaded.

    Args:
        home_of_store: Returns the store's home; raises `StoreError` if it can be none.
    """
    try:
        home = home_of_store()
    except StoreError as error:
        stored = [Check("store", "none", str(error), wrong=True)]
    else:
        stored = [_local(home), *_store(home)]
    version = version_of("sessionmagic") or "not installed, but"
    return [
        Check("sessionmagic", f"{version} in {_tilde(Path(__file__).parent)}"),
        Check("Python", f"{platform.python_version()} ({sys.implementation.name}) on {platform.platform()}"),
        _libraries(),
        Check("front ends", _listed(_versions(PAGES)) or "none in this environment"),
        *_extras(),
        *_providers(),
        *_connection(),
        *stored,
    ]


def _libraries() -> Check:
    names = [name for name, extra in _requirements() if not extra]
    if not names:
        return Check("libraries", "not known, because sessionmagic is not installed", "pip install . in its clone")
    installed = _versions(names)
    # emscripten's kernels have none of the libraries that need processes
    wrong = [name for name in names if name not in installed and sys.platform != "emscripten"]
    return Check("libraries", _listed(installed), f"pip install {' '.join(wrong)}" if wrong else "", bool(wrong))


def _extras() -> Iterable[Check]:
    """Yield the extras that are not providers: all of them need every one of their requirements."""
    needed: dict[str, list[str]] = {}
    for name, extra in _requirements():
        if extra:
            needed.setdefault(extra, []).append(name)
    for extra, names in needed.items():
        if extra not in PROVIDERS and extra != "local":
            installed = _versions(names)
            missing = [name for name in names if name not in installed]
            advice = f'pip install "sessionmagic[{extra}]"' if missing else ""
            found = "; ".join(filter(None, (_listed(installed), _not_installed(missing))))
            yield Check(f"extra {extra}", found, advice)


def _requirements() -> list[tuple[str, str]]:
    """Return the names of the packages that sessionmagic requires, each with its extra; empty if they are not known."""
    try:
        requirements = metadata.requires("sessionmagic") or []
    except metadata.PackageNotFoundError:  # it runs from a clone that is not installed
        return []
    parts = [(re.match(r"[\w.-]+", each), re.search(r"extra == ['\"]([\w-]+)", each)) for each in requirements]
    return [(name[0], extra[1] if extra else "") for name, extra in parts if name]


def _providers() -> Iterable[Check]:
    """Yield the SDKs, a line for each provider that has a key or needs none, and one that names all others."""
    sdks = sorted({each.module.replace(".", "-") for each in PROVIDERS.values()})
    yield Check("SDKs", _listed(_versions(sdks)) or "none")
    others = []
    for name, provider in PROVIDERS.items():
        is_set = [f"{variable} is set" for variable in provider.key if os.environ.get(variable)]
        if provider.key and not is_set:
            others.append(name)
            continue
        found = ", ".join(is_set) or "needs no key, but its server"
        try:
            provider.check(name)
        except ModelReferenceError as error:
            yield Check(f"provider {name}", found, str(error), wrong=provider.installed)
        else:
            yield Check(f"provider {name}", found)
    if others:
        yield Check("other providers", f"no key is set for {', '.join(others)}")


def _local(home: Path) -> Check:
    try:
        path = find_weights(home=home)
        check_installed()
    except ModelReferenceError as error:  # it is optional
        return Check("model local", "not ready", str(error))
    try:
        check_weights(path, home=home)
    except ModelReferenceError as error:
        return Check("model local", "not ready", str(error), wrong=True)
    found = f"{path.name} ({path.stat().st_size / 1e6:.0f} MB)"
    what = "ready; " if DEMO_MODEL not in path.name else "ready; the demo model, "
    return Check("model local", f"{what}{found}, xllamacpp {version_of('xllamacpp')}")


def _connection() -> Iterable[Check]:
    if certificates := missing_certificates():
        yield Check("certificates", "missing", certificates, wrong=True)
    if proxies := sorted(getproxies()):
        yield Check("proxies", f"set for {', '.join(proxies)}; servers on this machine are asked without one")


def _store(home: Path) -> Iterable[Check]:
    """Yield what is wrong with the store, or how large it is. Makes no store where no session was ever stored."""
    from sessionmagic.storage.tiny import TinyStore

    origin = " (SESSIONMAGIC_HOME)" if os.environ.get("SESSIONMAGIC_HOME") else ""
    where = f"{_tilde(home)}{origin}"
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    if not (existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)):
        advice = f"{_tilde(existing)} cannot be written; set SESSIONMAGIC_HOME to a directory that can"
        yield Check("store", where, advice, wrong=True)
        return
    free = shutil.disk_usage(existing).free
    room = f"{free / 1e9:,.1f} GB free"
    little = "make room on its disk, or set SESSIONMAGIC_HOME to another one" if free < LITTLE_ROOM else ""
    if not (home / "sessions").is_dir():
        yield Check("store", f"{where}, no sessions yet, {room}", little, wrong=bool(little))
        return
    try:
        summaries, problems = TinyStore(home).summaries()
    except SessionMagicError as error:
        yield Check("store", where, words_of(error), wrong=True)
        return
    yield Check("store", f"{where}, {counted(len(summaries), 'session')}, {room}", little, wrong=bool(little))
    for problem in problems:
        yield Check("store", "a file that is no session of its own", problem)


def _versions(names: Iterable[str]) -> dict[str, str]:
    """Return the versions of those packages that are installed."""
    return {name: version for name in names if (version := version_of(name))}


def _listed(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _not_installed(names: list[str]) -> str:
    return f"{', '.join(names)} not installed" if names else ""


def version_of(name: str) -> str:
    """Return the installed version of a distribution; empty if it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _tilde(path: Path) -> str:
    """Return a path without the user's home directory, whose name is private."""
    try:
        return f"~/{path.relative_to(Path.home()).as_posix()}"
    except (ValueError, RuntimeError):
        return str(path)
