"""Benchmarks of fastnetlink against its peers: `make bench`, or `python -m bench --help` from the repository."""
