from labeling_assets.gateway.byte_cache import ByteCache


def filled(*sizes_bytes: int) -> ByteCache[int, str]:
    """A cache of 10 bytes that got values "0", "1", ... of these sizes."""
    cache: ByteCache[int, str] = ByteCache(10)
    for number, size_bytes in enumerate(sizes_bytes):
        cache.put(number, str(number), size_bytes=size_bytes)
    return cache


def kept(cache: ByteCache[int, str]) -> list[int]:
    return [number for number in range(5) if cache.get(number) is not None]


def test_what_fits_is_kept() -> None:
    assert kept(filled(5, 5)) == [0, 1]


def test_the_oldest_goes_first() -> None:
    assert kept(filled(5, 5, 1)) == [1, 2]


def test_what_was_used_last_stays() -> None:
    cache = filled(5, 5)
    cache.get(0)
    cache.put(2, "2", size_bytes=5)
    assert kept(cache) == [0, 2]


def test_as_many_go_as_must() -> None:
    assert kept(filled(3, 3, 3, 10)) == [3]


def test_what_never_fits_displaces_nothing() -> None:
    assert kept(filled(5, 5, 11)) == [0, 1]


def test_bytes_are_counted() -> None:
    assert filled(5, 4, 3).used_bytes == 7


def test_putting_again_replaces() -> None:
    cache = filled(5)
    cache.put(0, "new", size_bytes=2)
    assert (cache.get(0), cache.used_bytes) == ("new", 2)


def test_a_cache_of_nothing_keeps_nothing() -> None:
    cache: ByteCache[int, str] = ByteCache(0)
    cache.put(0, "0", size_bytes=1)
    assert cache.get(0) is None
