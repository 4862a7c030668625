"""The fast path of decoding. Without this folder everything still works, slower."""
