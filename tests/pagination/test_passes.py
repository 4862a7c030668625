"""What one pass over a list shows: the places of rows, their order, and their number."""

import pytest

from tingting_async.pagination.passes import Pass


def read(*pages: tuple[int, str, int | None]) -> Pass:
    """Return a pass whose pages overlap: the offset, the rows and the total of each."""
    this = Pass(overlaps=True)
    for offset, rows, total in pages:
        this.add_page_at(offset, rows, total, needs_anchor=offset > 0)
    return this


def test_nothing_happened() -> None:
    """If each page begins with the last row of the page before, in its place, the pass is quiet, whole and regular."""
    this = read((0, "abcd", 7), (3, "defg", 7))
    assert (True, True, True, False, 0) == (
        this.is_quiet,
        this.is_whole,
        this.is_regular,
        this.may_have_moved,
        this.disorder,
    )


@pytest.mark.parametrize(
    ("page", "may_have_moved", "is_regular"),
    [
        ((3, "cdefg", 8), False, True),  # A row was added before `d`.
        ((3, "defgh", 8), False, True),  # A row was added after it.
        ((2, "def", 6), False, True),  # A row was deleted before it, and the pass went back.
        ((3, "def", 6), False, True),  # A row was deleted after it.
        ((3, "cdefg", 7), True, True),  # `d` has one more row before it, and one fewer after it.
        ((3, "xdefg", 7), True, False),  # The same, but the row was seen: eight rows came, and seven are stated.
        ((3, "dbefg", 7), False, False),  # `b` moved back.
        ((3, "dcg", 7), False, False),
    ],
)
def test_second_page(page: tuple[int, str, int], may_have_moved: bool, is_regular: bool) -> None:
    """The place of the anchor shows whether a row may have moved. The order and the number of rows show more."""
    this = read((0, "abcd", 7), page)
    assert not this.is_quiet
    assert (may_have_moved, is_regular) == (this.may_have_moved, this.is_regular)


def test_page_that_does_not_join() -> None:
    """A page without any row that was seen before does not join, but its rows count."""
    this = Pass(overlaps=True)
    assert this.add_page_at(0, "abcd", 8, needs_anchor=False)
    assert not this.add_page_at(3, "efgh", 8, needs_anchor=True)
    assert (False, 1, set("abcdefgh")) == (this.is_quiet, this.disorder, this.seen)
    assert this.add_page_at(1, "cdef", 8, needs_anchor=True)
    assert list("abcdef") == list(this.ranks)


def test_going_back_is_one_disorder() -> None:
    """However often a pass goes back for one page, that is disorder in one place; none if the list became shorter."""
    this = read((0, "abcd", 9), (3, "ijk", 9), (2, "hij", 9), (1, "cde", 9))
    assert 1 == this.disorder
    assert 0 == read((0, "abcd", 9), (3, "ijk", 8), (2, "hij", 8), (1, "cde", 8)).disorder


def test_lengths_that_differ() -> None:
    """If pages state different lengths, no number of rows is expected."""
    this = read((0, "abcd", 7), (3, "defgh", 8))
    assert (None, False, True, 8) == (this.stated, this.is_whole, this.is_regular, this.longest)


def test_fewer_rows_than_stated() -> None:
    """If all pages state one length, and fewer rows came, the pass is neither whole nor regular."""
    this = read((0, "abcd", 7), (3, "def", 7))
    assert (7, False, False) == (this.stated, this.is_whole, this.is_regular)


def test_pass_that_failed() -> None:
    """A pass that failed is neither whole nor regular, whatever came."""
    this = read((0, "abcd", 4))
    this.has_failed = True
    assert (None, False, False) == (this.stated, this.is_whole, this.is_regular)


def test_pages_that_do_not_overlap() -> None:
    """Without overlaps, a pass may be whole, not regular. A row that comes twice is disorder if the length stayed."""
    this = Pass(overlaps=False)
    this.add_page("abcd", 8)
    this.add_page("efgh", 8)
    assert (True, False, 0) == (this.is_whole, this.is_regular, this.disorder)
    this.add_page("h", 9)
    assert 0 == this.disorder
    this.add_page("h", 9)
    assert 1 == this.disorder


def test_no_length() -> None:
    """If the service states no length, the rows received are counted, with those that came twice."""
    this = Pass(overlaps=False)
    this.add_page("abcd", None)
    this.add_page("de", None)
    assert (6, False) == (this.stated, this.is_whole)


@pytest.mark.parametrize(("other", "same"), [("abcd", True), ("xacdy", True), ("bacd", False), ("xyz", True)])
def test_order(other: str, same: bool) -> None:
    """Two passes have the same order if no row that both saw has moved relative to another."""
    assert same == read((0, "abcd", 4)).has_order_of(read((0, other, len(other))))


def test_row_that_was_added_before_the_anchor() -> None:
    """A row that was added just before the anchor does not make two passes differ in their order."""
    first = read((0, "abcd", 6), (3, "xdef", 7))
    second = read((0, "abcx", 7), (3, "xdef", 7))
    assert first.has_order_of(second)
    assert second.has_order_of(first)
