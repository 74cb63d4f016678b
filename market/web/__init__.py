"""The pages that people see: server-rendered, alive where there is JavaScript."""
