"""Where people act: the workbench pages and the HTTP API (they come with the fifth issue)."""
