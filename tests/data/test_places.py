from __future__ import annotations

from pathlib import Path

import pytest

from plstm_graph.data import places
from plstm_graph.data.places import cache_folder, data_root, need
from plstm_graph.errors import DatasetNotFoundError


def test_data_root(monkeypatch: pytest.MonkeyPatch) -> None:
    assert data_root() == Path("datasets")
    monkeypatch.setenv("PLSTM_GRAPH_DATA", "/somewhere")
    assert data_root() == Path("/somewhere")
    assert data_root("here") == Path("here")


def test_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLSTM_GRAPH_CACHE", "/fast/cache")
    assert cache_folder() == Path("/fast/cache")
    monkeypatch.delenv("PLSTM_GRAPH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/home/me/.c")
    assert cache_folder() == Path("/home/me/.c/plstm_graph")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "plstm_graph"


def test_need_returns_paths(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.csv").touch()
    assert need(tmp_path, ["raw/a.csv"], "set", "https://example.org/set.zip") == [tmp_path / "raw" / "a.csv"]


def test_need_says_what_to_put_where(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    with pytest.raises(DatasetNotFoundError) as error:
        need(tmp_path, ["a.csv", "raw/b.csv", "raw/c.csv"], "some set", "https://example.org/set.zip")
    message = str(error.value)
    assert f"some set is not complete: {tmp_path} lacks raw/b.csv, raw/c.csv. Unpack https://example.org" in message
    assert "PLSTM_GRAPH_DATA" in message
    assert isinstance(error.value, FileNotFoundError)


def test_need_downloads_only_what_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def download(url: str, folder: Path) -> str:
        calls.append((url, folder))
        folder.mkdir()
        (folder / "a.csv").touch()
        return ""

    monkeypatch.setattr(places, "download", download)
    wanted = tmp_path / "new"
    for _ in range(2):
        assert need(wanted, ["a.csv"], "set", "url") == [wanted / "a.csv"]
    assert calls == [("url", wanted)]
    with pytest.raises(DatasetNotFoundError, match=r"other lacks a\.csv\. Put them there from page"):
        need(tmp_path / "other", ["a.csv"], "set", "page", zipped=False)
    assert len(calls) == 1


def test_need_says_why_the_download_failed(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match=r"new does not exist\. Nothing was downloaded, since"):
        need(tmp_path / "new", ["a.csv"], "set", "https://example.org/set.zip")
    assert not (tmp_path / "new").exists()
