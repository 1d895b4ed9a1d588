"""AWS's own data: botocore's models, regions, environment variables."""
