"""The CodePipeline job service in pure Python: requests in, responses or service errors out."""
