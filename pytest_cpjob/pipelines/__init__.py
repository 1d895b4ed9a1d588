"""Pipelines as their author defines them, and the jobs that they would make."""
