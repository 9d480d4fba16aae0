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
PACKAGES = {
    "collaboration": ["jupyterlab==4.6.6", "jupyter-collaboration==5.0.0"],
    "console": ["jupyter-console==6.6.3"],
    "documents": ["jupyterlab==4.6.6", "jupyter-server-documents==0.3.3"],
    "euporie": ["euporie==2.10.4"],
    "execute": ["nbclient==0.11.0", "jupyter-core==5.9.1"],
    "jupytext": ["jupytext==1.19.6", "nbconvert==7.17.2"],
    "nbclassic": ["nbclassic==1.3.3"],
    "nbmodel": ["jupyterlab==4.6.6", "jupyter-server-nbmodel==0.2.9"],
    "papermill": ["papermill==2.7.0"],
    "qtconsole": ["qtconsole==5.7.2", "PySide6-Essentials==6.12.0"],
    "voila": ["voila==0.5.13"],
}
KERNEL = "ipykernel==7.4.0"
OFFLINE = re.compile(
    r"dns error|name resolution|error sending request|connection|timed out|from versions: none", re.IGNORECASE
)
"""What pip and uv say where nothing can be downloaded."""


class OfflineError(Exception):
    """The packages cannot be downloaded."""


def made(name):
    """Return the Python of an environment, which is made if it does not exist. Raises `OfflineError`."""
    folder = FOLDER / name
    python = folder / "bin" / "python"
    stamp = folder / "made"
    wanted = "\n".join([*PACKAGES[name], KERNEL, (REPOSITORY / "pyproject.toml").read_text()])
    FOLDER.mkdir(exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not stamp.exists() or stamp.read_text() != wanted:
            _make(folder, python, [*PACKAGES[name], KERNEL])
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


def _run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    if OFFLINE.search(done.stderr) and not os.environ.get("CI"):
        raise OfflineError(f"the packages cannot be downloaded: {done.stderr.strip().splitlines()[-1]}")
    raise RuntimeError(done.stderr)
