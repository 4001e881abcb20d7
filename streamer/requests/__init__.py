"""Request files: read in every form, checked, split into batches, and kept as one spool."""
