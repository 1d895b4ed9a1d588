"""Waits on the job clock: sleeping takes no real time."""
