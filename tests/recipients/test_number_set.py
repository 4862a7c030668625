import tracemalloc

from tingting_async.recipients.number_set import NumberSet


def test_memory() -> None:
    """A set of many numbers uses one bit per possible number, and keeps all numbers when it switches to that form."""
    numbers = [str(9_841_000_000 + 3 * place) for place in range(20_000)]
    tracemalloc.start()
    try:
        found = NumberSet()
        assert all(map(found.add, numbers))
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size < 30_000  # Two blocks of 8 KiB; lists would have 40,000 bytes.
    assert all(number in found for number in numbers)
    assert not any(map(found.add, numbers))
    assert not any(str(int(number) + 1) in found for number in numbers)
