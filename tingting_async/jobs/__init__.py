"""Whole jobs: from a list of recipients to what became of each of them."""
