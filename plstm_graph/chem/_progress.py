"""The bar that is shown while molecules are read, for features, predictions or embeddings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def molecules_bar(total: int | None) -> Iterator[Callable[[int], Any]]:
    """A bar on stderr with molecules per second, if stderr is a terminal; yields the function that advances it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    class Rate(TextColumn):
        def render(self, task: Any) -> Any:
            task.fields["rate"] = f"{task.finished_speed or task.speed or 0:,.0f} molecules/s"
            return super().render(task)

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate("{task.fields[rate]}"))
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading molecules", total=total, rate="")
        yield lambda count: bar.advance(task, count)
