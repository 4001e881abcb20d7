"""A faithful local Message Batches API: `streamer serve`, and a pytest fixture for people who embed us."""
