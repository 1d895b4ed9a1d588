"""Every botocore client in the process answered by the service; one install, one undo list."""
