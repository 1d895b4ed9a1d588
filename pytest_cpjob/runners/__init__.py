"""How code under test is run: Lambda handlers and workers."""
