"""Which agents files of a folder can be loaded, and what in them is not understood."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sessionmagic.agents.agents_file import load
from sessionmagic.exceptions import AgentsFileError
from sessionmagic.words import counted

SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A file, and how much of it we can use."""

    name: str
    """Its path in the folder."""
    problem: str = ""
    """Why it cannot be loaded."""
    warnings: tuple[str, ...] = ()
    """What in it is not understood."""

    @property
    def state(self) -> str:
        """``understood``, ``loaded`` (with warnings), or ``refused``."""
        return "refused" if self.problem else "loaded" if self.warnings else "understood"

    def __str__(self) -> str:
        lines = [f"{self.state:10}  {self.name}", *filter(None, (self.problem, *self.warnings))]
        return "\n            ".join(lines)


def checked(folder: str | Path) -> list[CheckedFile]:
    """Return what can be used of each YAML file in a folder and the folders in it."""
    root = Path(folder).expanduser()
    files = sorted(path for path in root.rglob("*") if path.suffix in SUFFIXES and path.is_file())
    return [_checked(path, str(path.relative_to(root))) for path in files]


def _checked(path: Path, name: str) -> CheckedFile:
    try:
        file = load(path)
    except AgentsFileError as error:
        return CheckedFile(name, str(error).replace(str(path), name))
    return CheckedFile(name, warnings=tuple(str(each).replace(str(path), name) for each in file.warnings))


def report(files: list[CheckedFile]) -> str:
    """Return what was found as text: a few lines for each file, and a sum."""
    states = [each.state for each in files]
    loaded = len(files) - states.count("refused")
    total = f"{counted(len(files), 'file')}: {loaded} can be loaded, {states.count('understood')} without a warning"
    return "\n".join([*map(str, files), total])
