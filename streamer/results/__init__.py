"""From the bytes of a results body to records, and the proof that a batch is complete."""
