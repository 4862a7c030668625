"""A stand-in for the TingTing service on this machine: stateful, over real sockets, and misbehaving on request.

It shares no code with the client, so that no mistake can agree with itself on both sides.
"""

from tingting_async.sandbox.clock import Clock
from tingting_async.sandbox.faults import Fault, Faults
from tingting_async.sandbox.options import Options
from tingting_async.sandbox.received import ReceivedRequest
from tingting_async.sandbox.scripts import every_fault, fault_script
from tingting_async.sandbox.server import Sandbox
from tingting_async.sandbox.world import SideEffect, World

__all__ = [
    "Clock",
    "Fault",
    "Faults",
    "Options",
    "ReceivedRequest",
    "Sandbox",
    "SideEffect",
    "World",
    "every_fault",
    "fault_script",
]
