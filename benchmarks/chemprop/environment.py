"""The environment that chemprop runs in: made once, with the torch of this project's constraints.txt."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.revision import ROOT


def make_environment(folder: Path, version: str, say: Callable[[str], None]) -> Path:
    """Install chemprop into ``folder``, unless it is there; returns the folder.

    Raises:
        BenchmarkError: pip failed, or another version of chemprop is installed there.
    """
    if not (folder / "bin/chemprop").exists():
        torch = re.search(r"^torch==\S+", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
        if torch is None:
            raise BenchmarkError("constraints.txt does not say which torch: chemprop needs the same")
        say(f"installing chemprop {version} with {torch[0]} into {folder}")
        _run([sys.executable, "-m", "venv", str(folder)])
        pip = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", torch[0]]
        _run(pip)  # torch first and alone, so that chemprop finds it and does not choose another build
        _run([*pip, f"chemprop=={version}"])
    found = installed(folder)
    if found != version:
        raise BenchmarkError(f"{folder} holds chemprop {found}, not {version}: give another --env or --chemprop")
    return folder


def installed(folder: Path) -> str:
    """Version of chemprop in an environment."""
    ask = "from importlib.metadata import version; print(version('chemprop'))"
    return _run([str(folder / "bin/python"), "-c", ask]).strip()


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
    return done.stdout
