"""Type-checked, never run: errors and the data they carry."""

from collections.abc import Mapping
from typing import Any, assert_type

from tingting_async import (
    ApiError,
    BadRequestError,
    DecodeError,
    MisuseError,
    NotSentError,
    OutcomeUnknownError,
    PaginationError,
    PartialFailureError,
    RateLimitedError,
    Reconciliation,
    Rows,
    ServerError,
    TingTing,
    TingTingError,
    TransportError,
    UsageError,
    Verdict,
    WaitTimeoutError,
)


async def reconciled(tingting: TingTing) -> None:
    try:
        await tingting.campaigns.run(1, message="a")
    except OutcomeUnknownError as error:
        assert_type(error.status, int | None)
        outcome = await error.reconcile(wait=0)
        assert_type(outcome, Reconciliation)
        assert_type(outcome.verdict, Verdict)
        assert_type(outcome.reason, str)
        assert_type(outcome.result, Any)


async def responses(tingting: TingTing) -> None:
    try:
        await tingting.campaigns.get(1)
    except RateLimitedError as error:
        assert_type(error.retry_after, float | None)
    except ServerError as error:
        assert_type(error.retry_after, float | None)
    except BadRequestError as error:
        assert_type(error.field_errors, Mapping[str, tuple[str, ...]])
    except ApiError as error:
        assert_type(error.status, int)
        assert_type(error.message, str)
        assert_type(error.body, bytes)
        assert_type(error.request_id, str | None)
        assert_type(error.is_refusal, bool)
    except NotSentError as error:
        assert_type(error.phase, str)
    except TransportError as error:
        assert_type((error.operation, error.method, error.path), tuple[str, str, str])
    except DecodeError as error:
        assert_type(error.path, str)
        assert_type(error.problems, tuple[tuple[str, str], ...])


async def calls(tingting: TingTing) -> None:
    try:
        await tingting.campaigns.list().collect()
    except PaginationError as error:
        assert_type(error.number, int)
    except PartialFailureError as error:
        assert_type(PartialFailureError.behind(error), PartialFailureError | None)
        assert_type(error.unknown, Rows)
        assert_type(error.not_done, Rows)
    except WaitTimeoutError as error:
        assert_type(error.last, Any)
    except UsageError as error:
        assert_type(error.problems, tuple[tuple[str, str], ...])


def tree(misuse: MisuseError, usage: UsageError, wait: WaitTimeoutError) -> None:
    errors: list[TingTingError] = [misuse, usage, wait]
    types: list[TypeError] = [misuse]
    values: list[ValueError] = [misuse, usage]
    timeouts: list[TimeoutError] = [wait]
    assert_type((errors, types, values, timeouts)[0], list[TingTingError])
