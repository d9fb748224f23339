"""``python -m plstm_graph`` is the command ``plstm-graph``."""

from plstm_graph.cli import main

if __name__ == "__main__":
    main()
