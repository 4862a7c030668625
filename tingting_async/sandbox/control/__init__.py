"""The control interface: the sandbox's clock, faults and records as JSON, for a test suite in any language."""

from tingting_async.sandbox.control.api import owns, routes, serve
from tingting_async.sandbox.control.guard import Guard

__all__ = ["Guard", "owns", "routes", "serve"]
