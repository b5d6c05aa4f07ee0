"""indico with one resource more, `note`, as its README says how to add one."""
