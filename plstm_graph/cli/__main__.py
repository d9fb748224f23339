"""``python -m plstm_graph.cli``."""

from plstm_graph.cli import main

if __name__ == "__main__":
    main()
