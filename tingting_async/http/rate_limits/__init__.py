"""Rate limits: of one session, and of all processes that share a server."""
