"""Sources: where results come from, a results_url or a file that is there; the same pieces come from both."""
