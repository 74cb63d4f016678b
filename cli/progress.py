"""Progress bars on stderr, so that stdout stays clean for paths and JSON."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from generation.engine import Progress as RiffProgress


@contextmanager
def riff_progress(label: str) -> Iterator[Callable[["RiffProgress"], None]]:
    """A bar for one riff; gives the callback that Engine.render reports to."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
    )
    with _progress(*columns, transient=True) as progress:
        task = progress.add_task(label[:60], total=1.0)
        yield lambda at: progress.update(task, completed=at.fraction)


@contextmanager
def count_progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar for countable work; gives a callback (done, all)."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with _progress(*columns, transient=False) as progress:
        task = progress.add_task(label, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def share_progress(label: str) -> Iterator[Callable[[float, str], None]]:
    """A bar for work that is counted in time; gives a callback (share of all, what to say of it)."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with _progress(*columns, transient=True) as progress:
        task = progress.add_task(label[:60], total=1.0, note="")
        yield lambda share, note: progress.update(task, completed=share, note=note)


def _progress(*columns: ProgressColumn, transient: bool) -> Progress:
    console = Console(stderr=True)
    return Progress(
        *columns, TimeRemainingColumn(), console=console, transient=transient, disable=not console.is_terminal
    )
