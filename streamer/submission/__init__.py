"""Requests into batches, each created exactly once, whatever happens on the way."""
