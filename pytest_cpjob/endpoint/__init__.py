"""The same service over HTTP, for other processes and other languages (extra `server`)."""
