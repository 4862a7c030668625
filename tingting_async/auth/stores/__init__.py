"""Token stores that outlive a process and can be shared by several: in a file, and in Redis.

A store holds the tokens of one account on one generation of the API. The default store of a session is
`tingting_async.MemoryTokenStore`.
"""
