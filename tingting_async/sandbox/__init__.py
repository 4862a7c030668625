"""A local simulation of the TingTing service: stateful, over real sockets, with injectable faults.

The sandbox shares no code with the client. If both sides shared a mistake, the tests could not see it.
"""

from tingting_async.sandbox.clock import Clock
from tingting_async.sandbox.faults import Fault, Faults, Struck
from tingting_async.sandbox.inbox import Inbox, Message
from tingting_async.sandbox.options import Options
from tingting_async.sandbox.received import ReceivedRequest
from tingting_async.sandbox.records import SideEffect
from tingting_async.sandbox.scripts import every_fault, fault_script
from tingting_async.sandbox.server import Sandbox
from tingting_async.sandbox.sms import SmsParts
from tingting_async.sandbox.world import World

__all__ = [
    "Clock",
    "Fault",
    "Faults",
    "Inbox",
    "Message",
    "Options",
    "ReceivedRequest",
    "Sandbox",
    "SideEffect",
    "SmsParts",
    "Struck",
    "World",
    "every_fault",
    "fault_script",
]
