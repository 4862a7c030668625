"""An asyncio client for TingTing, a service that places programmed voice calls and sends SMS."""
