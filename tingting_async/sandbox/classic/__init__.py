"""The classic API (`/api/accounts`, `/api/system`)."""

from aiohttp import web

from tingting_async.sandbox.classic import accounts, campaigns, numbers, otp, phone_numbers

routes: list[web.AbstractRouteDef] = [
    *accounts.routes,
    *campaigns.routes,
    *numbers.routes,
    *phone_numbers.routes,
    *otp.routes,
]
