"""Runs: many batches watched, each delivered as it ends, and all of it reported."""
