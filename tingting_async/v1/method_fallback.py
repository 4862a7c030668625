"""Operations for which the service's documents name different HTTP methods."""

import attrs

from tingting_async.client.core import Core
from tingting_async.errors import ApiError
from tingting_async.http.messages import Request, T
from tingting_async.resources.base import Resource


class MethodFallback(Resource):
    """A resource that remembers, for each of its operations, the HTTP method that works.

    One public client found that a campaign's fields and its message need different methods, so what works for one
    operation says nothing about another.
    """

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self._found: dict[str, str] = {}

    async def _execute(self, request: Request[T], fallback: str) -> T:
        """Execute a request, by another HTTP method if the service rejects its own with 405: nothing was done then.

        Args:
            request: The request, with the method that the documents name.
            fallback: The other method.
        """
        method = self._found.get(request.operation, request.method)
        try:
            return await self._core.execute(attrs.evolve(request, method=method))
        except ApiError as error:
            # The method of this very request decides: another task may have changed the remembered one since.
            if error.status != 405 or method == fallback:
                raise
        result = await self._core.execute(attrs.evolve(request, method=fallback))
        self._found[request.operation] = fallback
        return result
