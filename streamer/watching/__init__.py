"""Watching: which batches have ended, at the cost of a few requests a round."""
