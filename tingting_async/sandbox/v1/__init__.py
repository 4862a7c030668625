"""The v1 API (`/api/v1`)."""

from tingting_async.sandbox.v1 import accounts, campaigns, contacts, otp, surveys

routes = [*accounts.routes, *campaigns.routes, *contacts.routes, *otp.routes, *surveys.routes]
