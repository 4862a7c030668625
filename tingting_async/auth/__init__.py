"""Signing in: tokens, the flow that obtains them, and the stores that keep them."""
