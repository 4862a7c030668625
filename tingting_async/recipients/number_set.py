"""A set of phone numbers in little memory."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator


class NumberSet:
    """A set of phone numbers in little memory: about two bytes a number, and 25 MB for all mobile numbers of Nepal."""

    _MAX_SPARSE = 4096  # A block of 65,536 numbers has a list of its members, or, above this, a bit for each number.

    def __init__(self) -> None:
        self._blocks: dict[int, array[int] | bytearray] = {}

    def __contains__(self, number: str) -> bool:
        high, low = divmod(int(number), 65_536)
        block = self._blocks.get(high, b"")
        if isinstance(block, array):
            place = bisect_left(block, low)
            return place < len(block) and block[place] == low
        return bool(block) and block[low >> 3] & 1 << (low & 7) > 0

    def __iter__(self) -> Iterator[str]:
        for high, block in self._blocks.items():
            if isinstance(block, array):
                lows: Iterable[int] = block
            else:
                lows = (low for low in range(65_536) if block[low >> 3] & 1 << (low & 7))
            yield from (str(65_536 * high + low) for low in lows)

    def add(self, number: str) -> bool:
        """Add a number; return whether it is new."""
        high, low = divmod(int(number), 65_536)
        block = self._blocks.get(high)
        if block is None:
            self._blocks[high] = array("H", (low,))
            return True
        if isinstance(block, bytearray):
            byte, bit = low >> 3, 1 << (low & 7)
            is_new = not block[byte] & bit
            block[byte] |= bit
            return is_new
        place = bisect_left(block, low)
        if place < len(block) and block[place] == low:
            return False
        block.insert(place, low)
        if len(block) > self._MAX_SPARSE:
            bits = self._blocks[high] = bytearray(8192)
            for each in block:
                bits[each >> 3] |= 1 << (each & 7)
        return True
