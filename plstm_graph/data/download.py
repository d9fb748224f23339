"""Download a zip file and unpack it, whole or not at all, without asking."""

from __future__ import annotations

import http.client
import os
import shutil
import tempfile
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

TIMEOUT = 20
"""Seconds without an answer after which a download is given up."""


def download(url: str, folder: Path) -> str:
    """Make ``folder`` from the zip file at ``url``; a single folder at the top of the zip file is ``folder`` itself.

    Nothing is done if the environment variable PLSTM_GRAPH_OFFLINE is set (and not 0), and nothing is written before
    the server has answered.

    Returns:
        "" if the folder is there now, else a sentence that says why not.
    """
    if os.environ.get("PLSTM_GRAPH_OFFLINE", "0") != "0":
        return "Nothing was downloaded, since PLSTM_GRAPH_OFFLINE is set. "
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as work:
                archive = Path(work) / "download.zip"
                _receive(answer, archive, f"downloading {url} to {folder}")
                _unpack(archive, Path(work) / "content", folder)
    except (OSError, ValueError, zipfile.BadZipFile, http.client.HTTPException) as error:
        return f"The download failed ({type(error).__name__}: {error}). "
    return ""


def _receive(answer: Any, archive: Path, text: str) -> None:
    from rich.console import Console
    from rich.progress import wrap_file

    console = Console(stderr=True)
    console.print(text, highlight=False, soft_wrap=True)
    total = int(answer.headers.get("Content-Length") or 0)
    with archive.open("wb") as target:
        if console.is_terminal and total:
            with wrap_file(answer, total, console=console, transient=True) as source:
                shutil.copyfileobj(source, target)
        else:
            shutil.copyfileobj(answer, target)
    if total and archive.stat().st_size != total:
        raise OSError(f"{archive.stat().st_size:,} of {total:,} bytes arrived")


def _unpack(archive: Path, content: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        file.extractall(content)
    inside = list(content.iterdir())
    top = inside[0] if len(inside) == 1 and inside[0].is_dir() else content
    if not folder.exists():  # else another process was faster
        os.replace(top, folder)
