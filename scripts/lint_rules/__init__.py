"""One module a rule: check(project) yields findings (path, line, message)."""
