"""The command ``plstm-graph``: one file per verb, and nothing heavy is imported before a verb runs."""

from __future__ import annotations


def main() -> None:
    """Entry point of the command ``plstm-graph``."""
    from plstm_graph.cli.app import app

    app()


__all__ = ["main"]
