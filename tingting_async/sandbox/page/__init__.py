"""The page at `/`: what the sandbox did, live, and buttons that change how it behaves."""

from tingting_async.sandbox.page.routes import RENDERER, Renderer, owns, routes, serve

__all__ = ["RENDERER", "Renderer", "owns", "routes", "serve"]
