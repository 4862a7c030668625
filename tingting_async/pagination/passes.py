"""What one pass over a list shows: which rows it saw, and whether anything contradicts its being complete."""

from collections.abc import Hashable, Sequence


class Pass:
    """The rows that one pass over the list has seen, by their keys.

    If pages overlap, each begins with the last row of the page before. That row, the anchor, says what happened between
    the two pages::

        page 1    a b c d | e f g h       `d` is in position 3, and 4 rows follow
        page 2    x a b c   d e f g | h   `d` is in position 4, and 4 rows follow: a row was added before it

    Rows that are added and deleted do not change the order of the others. So what follows the anchor comes next, with
    nothing in between, and what came before it was seen. Rows that move do change the order. A row that moves from the
    part that is still unread to the part that was read is lost for this pass. The anchor then has one more row before
    it, and one fewer after it. Two changes between two pages may hide that.

    Args:
        overlaps: Whether pages are requested so that they overlap.
    """

    def __init__(self, *, overlaps: bool) -> None:
        self.sequence: list[Hashable] = []
        """The keys of all pages, in the order received."""
        self.seen: set[Hashable] = set()
        self.pages: int = 0
        self.totals: set[int | None] = set()
        """The lengths of the list that the pages state."""
        self.longest: int = 0
        """The greatest length of the list that a page states."""
        self.disorder: int = 0
        """The number of pages on which rows must have moved, because additions or deletions do not explain it."""
        self.is_ordered: bool = True
        """Whether the rows that several pages have are in the same order on each."""
        self.has_failed: bool = False
        """Whether a page of this pass could not be read."""
        self.is_quiet: bool = True
        """Whether nothing at all changed, as far as the pages show."""
        self.is_joined: bool = overlaps
        """Whether each page joins the pages before it, or a later page does instead."""
        self.may_have_moved: bool = False
        """Whether a row may have moved from the unread part to the part that was read."""
        self.ranks: dict[Hashable, int] = {}
        """The order of the rows. Rows that appear before the anchor have no rank."""
        self._places: dict[Hashable, tuple[int, int]] = {}
        """How many rows came before and after each row when it was last seen."""
        self._total: int | None = None
        self._was_joined = True

    @property
    def stated(self) -> int | None:
        """The one length of the list that all pages state; None if they disagree."""
        if len(self.totals) != 1 or self.has_failed:
            return None
        (total,) = self.totals
        return len(self.sequence) if total is None else total

    @property
    def is_whole(self) -> bool:
        """Whether all pages state one length of the list, and that many rows came."""
        return self.stated == len(self.seen)

    @property
    def is_regular(self) -> bool:
        """Whether nothing contradicts that this pass saw everything."""
        return self.is_joined and self.is_ordered and not self.has_failed and (self.stated is None or self.is_whole)

    def add_page(self, keys: Sequence[Hashable], total: int | None) -> None:
        """Add a page of a list whose pages do not overlap."""
        if total == self._total and not self.seen.isdisjoint(keys):
            self.disorder += 1
        self._add(keys, total)

    def add_page_at(self, offset: int, keys: Sequence[Hashable], total: int | None, *, needs_anchor: bool) -> bool:
        """Add a page of a list whose pages overlap.

        Args:
            offset: The offset that was requested.
            keys: The keys of the rows.
            total: The length of the list that the page states.
            needs_anchor: Whether it must have a row that was seen before. The start of the list need not.

        Returns:
            Whether the page joins the pages before it, as far as it must.
        """
        ranks = self.ranks
        known = [index for index, key in enumerate(keys) if key in ranks]
        is_joined = bool(known) or not needs_anchor
        order = [ranks[keys[index]] for index in known]
        if order != sorted(set(order)):
            self.is_ordered = False
            self.disorder += 1
        elif not is_joined and self._was_joined and total == self._total:
            self.disorder += 1
        self._was_joined = is_joined
        start = 0
        if known:
            anchor = max(known, key=lambda index: ranks[keys[index]])
            start = anchor + 1
            self._compare(keys[anchor], offset + anchor, total)
        elif ranks:
            self.is_quiet = False
        if is_joined:
            for index, key in enumerate(keys):
                if index >= start and key not in ranks:
                    ranks[key] = len(ranks)
                self._places[key] = (offset + index, (total or 0) - offset - index)
        self._add(keys, total)
        return is_joined

    def _compare(self, anchor: Hashable, before: int, total: int | None) -> None:
        """Compare the place of the anchor with where it was."""
        old_before, old_after = self._places[anchor]
        after = (total or 0) - before
        if (before, after) != (old_before, old_after) or not self.is_ordered:
            self.is_quiet = False
        if before > old_before and after < old_after:
            self.may_have_moved = True
            self.disorder += 1

    def _add(self, keys: Sequence[Hashable], total: int | None) -> None:
        self.pages += 1
        self.sequence += keys
        self.seen.update(keys)
        self.totals.add(total)
        self.longest = max(self.longest, total or 0)
        self._total = total

    def has_order_of(self, other: "Pass") -> bool:
        """Return whether the rows that both passes have seen are in the same order."""
        return [key for key in self.ranks if key in other.ranks] == [key for key in other.ranks if key in self.ranks]
