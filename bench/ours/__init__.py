"""indico with a resource for notes, written as docs/first-resource.md says."""
