"""Responses to models: where the payload is, whether the response is a success, and strict decoding."""
