"""Requests and responses as values, and the transport that exchanges them."""
