"""The models of the v1 API.

`wire_field` names the service's spelling of a field if it differs from ours. The service may omit almost any field or
send it as null, so nearly all are optional.
"""
