"""The ledger, which records every send so that nothing is sent twice."""
