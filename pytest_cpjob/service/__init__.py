"""The CodePipeline job service in pure Python: a request in, a response or a service error out."""
