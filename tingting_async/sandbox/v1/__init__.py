"""The v1 API (`/api/v1`)."""

from aiohttp import web

from tingting_async.sandbox.v1 import accounts, campaigns, contacts, otp, surveys

routes: list[web.AbstractRouteDef] = [
    *accounts.routes,
    *campaigns.routes,
    *contacts.routes,
    *otp.routes,
    *surveys.routes,
]
