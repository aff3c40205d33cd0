"""The address that the provider calls back at: evidence of what it accepted, heard and written down, and nothing else."""
