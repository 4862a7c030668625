"""Operations whose HTTP method is told differently by different documents."""

from typing import TypeVar

import attrs

from tingting_async.client.core import Core
from tingting_async.errors import ApiError
from tingting_async.http.messages import Request

T = TypeVar("T")


class MethodFallback:
    """Which method works for which operation, remembered for a session.

    One public client found that a campaign's fields and its message do not take the same ones, so nothing is concluded
    from one operation about another.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._found: dict[str, str] = {}

    async def call(self, request: Request[T], otherwise: str) -> T:
        """Carry out an operation, by another method where its own is answered with 405: nothing was done then.

        Args:
            request: With the method that the documents name.
            otherwise: The other method.
        """
        method = self._found.get(request.operation, request.method)
        try:
            return await self._core.execute(attrs.evolve(request, method=method))
        except ApiError as error:
            # What this request was sent by counts, not what is remembered by now: other tasks find out, too.
            if error.status != 405 or method == otherwise:
                raise
        answer = await self._core.execute(attrs.evolve(request, method=otherwise))
        self._found[request.operation] = otherwise
        return answer
