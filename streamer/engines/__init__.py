"""Engines: where the deliveries of a run take place."""
