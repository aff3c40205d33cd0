"""What leaves the cache of media: the longest unused, as little as needed, never what is needed."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from callsheet.eviction import Entry, surplus, unused_since, weight

DAY = datetime(2026, 1, 1, tzinfo=UTC)


def entry(name: str, size: int, day: int, needed: str = "") -> Entry:
    used = DAY + timedelta(days=day)
    return Entry(kind="clip", path=f"clips/{name}", name=name, bytes=size, used_at=used, needed=needed)


def test_the_longest_unused_goes_first_and_no_more_than_must() -> None:
    entries = [entry("new", 40, 9), entry("old", 40, 1), entry("older", 40, 0), entry("newest", 40, 10)]
    assert [one.name for one in surplus(entries, 100)] == ["older", "old"]
    assert surplus(entries, 160) == []


def test_what_is_needed_stays_however_old_and_large_it_is() -> None:
    entries = [entry("needed", 500, 0, "a run"), entry("free", 10, 9)]
    assert [one.name for one in surplus(entries, 100)] == ["free"]
    assert [one.name for one in unused_since(entries, None)] == ["free"]


def test_clearing_by_age_leaves_what_was_needed_since() -> None:
    entries = [entry("a", 1, 0), entry("b", 1, 5), entry("c", 1, 9)]
    assert [one.name for one in unused_since(entries, DAY + timedelta(days=5))] == ["a"]


ENTRIES = st.lists(
    st.builds(
        entry,
        st.uuids().map(str),
        st.integers(0, 10**12),
        st.integers(0, 3000),
        st.sampled_from(["", "a run", "a take"]),
    ),
    max_size=12,
)


@given(ENTRIES, st.integers(0, 10**13))
def test_after_an_eviction_it_fits_or_only_what_is_needed_is_left(entries: list[Entry], most: int) -> None:
    going = surplus(entries, most)
    left = [one for one in entries if one not in going]
    assert not any(one.needed for one in going)
    assert weight(left) <= most or all(one.needed for one in left)
    assert not going or weight(left) + going[-1].bytes > most
