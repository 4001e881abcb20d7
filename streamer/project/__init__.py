"""Projects: from request files to one file of answers, whatever interrupts it on the way."""
