"""Revisions of the library: which one this is, and another one beside it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.errors import BenchmarkError

ROOT = Path(__file__).resolve().parent.parent


def current(root: Path = ROOT) -> str:
    """Short name of the revision, with ``+`` behind it if files of the library differ; ``"unknown"`` without git."""
    try:
        changed = _git(root, "status", "--porcelain", "--", "plstm_graph")
        return _git(root, "rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except BenchmarkError:
        return "unknown"


def resolve(revision: str, root: Path = ROOT) -> str:
    """Short name of a revision.

    Raises:
        BenchmarkError: there is no such revision.
    """
    return _git(root, "rev-parse", "--short=12", "--verify", "--end-of-options", f"{revision}^{{commit}}")


@contextmanager
def checked_out(revision: str, root: Path = ROOT) -> Iterator[Path]:
    """Folder that holds the package ``plstm_graph`` of a revision and nothing else; a temporary git worktree.

    Raises:
        BenchmarkError: there is no such revision, or it has no package ``plstm_graph``.
    """
    commit = resolve(revision, root)
    with TemporaryDirectory(prefix="plstm-graph-") as temporary:
        folder = Path(temporary) / "worktree"
        _git(root, "worktree", "add", "--quiet", "--detach", "--no-checkout", str(folder), commit)
        try:
            _git(folder, "checkout", commit, "--", "plstm_graph")
            yield folder
        finally:
            _git(root, "worktree", "remove", "--force", str(folder))


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise BenchmarkError(f"git cannot be started: {error}") from error
    if done.returncode:
        raise BenchmarkError(f"git {' '.join(arguments)} failed: {done.stderr.strip()}")
    return done.stdout.strip()
