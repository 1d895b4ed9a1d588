"""All botocore clients of the process, answered by the service while a stub is active."""
