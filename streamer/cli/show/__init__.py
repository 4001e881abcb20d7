"""What people and programs are shown: progress, summaries, lines of JSON."""
