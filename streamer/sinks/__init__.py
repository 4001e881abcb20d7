"""Sinks: where the records of batches go."""
