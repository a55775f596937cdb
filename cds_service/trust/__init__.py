"""Who may call the service and what it may call: callers, their keys, and addresses."""
