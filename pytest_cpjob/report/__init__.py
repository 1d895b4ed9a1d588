"""Reports to look at: what happened to a test's jobs as a page, in Markdown, and in notebooks."""
