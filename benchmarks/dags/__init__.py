"""Tasks on DAGs, by ``python -m benchmarks.dags``: trained, tested, written as lines of JSON, a table and a figure."""
