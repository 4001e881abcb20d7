"""The Message Batches API: its client and its objects; everything that is sent or received passes here."""
