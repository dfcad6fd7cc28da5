from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import pytest

from oracles import METRICS, Interval, Reading, Value
from oracles.settled import SettledReadings


def reading(number, size=10):
    interval = Interval(number, number + 1)
    return Reading(Value(Fraction(1)), METRICS["latency"], interval, "test", b"x" * size)


def there(kept, numbers):
    return [number for number in numbers if kept.get(number) is not None]


def test_a_reading_is_found_by_its_key():
    kept = SettledReadings(count=10)
    kept.put("a", reading(1))
    assert kept.get("a") == reading(1)
    assert kept.get("b") is None


def test_the_one_that_was_not_used_for_longest_goes_first():
    kept = SettledReadings(count=3)
    for number in range(3):
        kept.put(number, reading(number))
    kept.get(0)
    kept.put(3, reading(3))
    assert there(kept, range(4)) == [0, 2, 3]


def test_bytes_of_evidence_are_bounded():
    kept = SettledReadings(count=1_000, size=100)
    for number in range(20):
        kept.put(number, reading(number, size=30))
    assert there(kept, range(20)) == [17, 18, 19]


def test_one_put_twice_counts_once():
    kept = SettledReadings(count=1_000, size=100)
    kept.put("small", reading(0, size=40))
    for _ in range(5):
        kept.put("twice", reading(1, size=60))
    assert there(kept, ["small", "twice"]) == ["small", "twice"]


def test_one_that_is_larger_than_all_room_drives_nothing_out():
    kept = SettledReadings(count=1_000, size=100)
    kept.put("small", reading(0, size=40))
    kept.put("large", reading(1, size=101))
    assert there(kept, ["small", "large"]) == ["small"]


@pytest.mark.parametrize("workers", [8])
def test_threads_may_share_it(workers):
    kept = SettledReadings(count=50, size=500)
    with ThreadPoolExecutor(workers) as threads:
        list(threads.map(lambda n: (kept.put(n, reading(n)), kept.get(n - 20)), range(5_000)))
    assert len(there(kept, range(5_000))) == 50
