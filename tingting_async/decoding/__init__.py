"""Bytes to models: strict hooks, envelopes, and the errors that a response amounts to."""
