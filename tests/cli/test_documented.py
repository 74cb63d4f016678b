"""Every `riff` command that the documents show, run as it stands there with the shipped model."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from generation.models.shipped import SHIPPED
from tests.cli.test_make import loaded

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
# They set up or run servers; other tests see to them.
_NOT_HERE = {"up", "market", "worker", "bot", "db", "doctor", "train", "evaluate"}


def commands(document: str) -> Iterator[list[str]]:
    """The riff commands in a document's shell blocks, in order."""
    for block in _BLOCK.findall((ROOT / document).read_text()):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words and Path(words[0]).name == "riff" and words[1] not in _NOT_HERE:
                yield words[1:]


@pytest.mark.parametrize("document", ["README.md", "docs/verbs.md"])
def test_every_example_works_as_it_is_shown(document: str, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    examples = list(commands(document))
    assert len(examples) > 2
    for words in examples:
        expanded = [name for word in words for name in _expanded(word, folder)]
        before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        run = loaded(*expanded, folder=folder, model=SHIPPED)
        assert run.returncode == 0, f"riff {shlex.join(expanded)}: {run.stderr}"
        after = {path: path.read_bytes() for path in before if path.exists()}
        changed = [path.name for path in before if after.get(path) != before[path]]
        assert not changed, f"riff {shlex.join(expanded)} changed {changed}"


def _expanded(word: str, folder: Path) -> list[str]:
    """A word as the shell gives it to a command: a pattern becomes the files that it fits."""
    if "*" not in word:
        return [word]
    found = sorted(str(path.relative_to(folder)) for path in folder.glob(word))
    return found or [word]
