"""Fuzzing of framing and record parsing; see `__main__`."""
