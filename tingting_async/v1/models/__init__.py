"""The models of the v1 API."""
