"""How the rows of a list are read."""

import attrs

from tingting_async.recipients.problems import require_type


@attrs.frozen
class Options:
    """How rows are read; see `RecipientList.read`."""

    number: str | None = None
    has_header: bool | None = None
    mobile_only: bool = False
    split_numbers: bool = False
    allow_unknown_prefix: bool = False
    allow_padded: bool = False
    besides: frozenset[int] = frozenset()

    def __attrs_post_init__(self) -> None:
        require_type(str, number=self.number)
        require_type(
            bool,
            has_header=self.has_header,
            mobile_only=self.mobile_only,
            split_numbers=self.split_numbers,
            allow_unknown_prefix=self.allow_unknown_prefix,
            allow_padded=self.allow_padded,
        )
