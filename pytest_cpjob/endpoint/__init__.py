"""The same service over HTTP, for other processes and languages (extra `server`)."""
