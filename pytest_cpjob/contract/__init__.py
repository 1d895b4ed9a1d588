"""What a handler that CodePipeline could live with must have done, and how we say so."""
