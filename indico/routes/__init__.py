"""HTTP in, HTTP out: one module a resource, ending with its route."""
