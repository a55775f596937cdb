"""Whom the service hears and whom it asks: callers, their keys, and the addresses it may call."""
