"""Measurements: each figure with the limit or the peer beside it. What they mean: docs/bench.md."""
