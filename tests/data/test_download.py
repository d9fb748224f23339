from __future__ import annotations

import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from plstm_graph.data import download as module
from plstm_graph.data.download import download


@pytest.fixture(autouse=True)
def _online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLSTM_GRAPH_OFFLINE")
    monkeypatch.setattr(module, "TIMEOUT", 2)


@pytest.fixture
def archive(tmp_path: Path) -> Callable[..., str]:
    """Makes a zip file and returns its address."""

    def make(*names: str) -> str:
        path = tmp_path / "source.zip"
        with zipfile.ZipFile(path, "w") as file:
            for name in names:
                file.writestr(name, f"content of {name}" * 50)
        return path.as_uri()

    return make


@pytest.fixture
def broken_server(archive: Callable[..., str], tmp_path: Path) -> Iterator[str]:
    """Address of a server that promises more bytes than it sends."""
    archive("set/a.csv")
    content = (tmp_path / "source.zip").read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/missing.zip":
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content) + 100))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("names", [("set/raw/a.csv", "set/b.txt"), ("raw/a.csv", "b.txt")])
def test_unpacks(
    archive: Callable[..., str], tmp_path: Path, names: tuple[str, ...], capsys: pytest.CaptureFixture
) -> None:
    folder = tmp_path / "root" / "ogb" / "new"
    assert download(archive(*names), folder) == ""
    assert (folder / "raw" / "a.csv").read_text().startswith(f"content of {names[0]}")
    assert sorted(path.name for path in folder.iterdir()) == ["b.txt", "raw"]
    assert [path.name for path in folder.parent.iterdir()] == ["new"]
    assert "downloading file://" in capsys.readouterr().err


def test_leaves_a_folder_that_another_process_made(archive: Callable[..., str], tmp_path: Path) -> None:
    folder = tmp_path / "root" / "new"
    folder.mkdir(parents=True)
    assert download(archive("set/a.csv"), folder) == ""
    assert list(folder.iterdir()) == []


def test_nothing_is_left_of_a_download_that_broke(broken_server: str, tmp_path: Path) -> None:
    reason = download(f"{broken_server}/set.zip", tmp_path / "root" / "new")
    assert reason.startswith("The download failed (")
    assert list((tmp_path / "root").iterdir()) == []


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/set.zip", "{server}/missing.zip", "file:///no/such.zip", "nonsense"]
)
def test_nothing_is_written_without_an_answer(broken_server: str, tmp_path: Path, url: str) -> None:
    reason = download(url.format(server=broken_server), tmp_path / "root" / "new")
    assert reason.startswith("The download failed (")
    assert not (tmp_path / "root").exists()


def test_file_that_is_no_zip(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<html>moved</html>")
    reason = download((tmp_path / "page.html").as_uri(), tmp_path / "root" / "new")
    assert "BadZipFile" in reason
    assert list((tmp_path / "root").iterdir()) == []


def test_zip_cannot_write_elsewhere(archive: Callable[..., str], tmp_path: Path) -> None:
    download(archive("set/a.csv", "../../../outside.csv"), tmp_path / "a" / "b" / "new")
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["new"]
    assert {path.name for path in tmp_path.iterdir()} == {"a", "source.zip"}


def test_offline(archive: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLSTM_GRAPH_OFFLINE", "1")
    assert "PLSTM_GRAPH_OFFLINE is set" in download(archive("set/a.csv"), tmp_path / "new")
    monkeypatch.setenv("PLSTM_GRAPH_OFFLINE", "0")
    assert download(archive("set/a.csv"), tmp_path / "new") == ""
