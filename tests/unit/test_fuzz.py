"""Every reader of foreign bytes on its seeds, on what hypothesis thinks of, and on what `make fuzz` found."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import TARGETS, Target

#: Inputs that once were a find.
FOUND: dict[str, tuple[bytes, ...]] = {}


@pytest.mark.parametrize("name", TARGETS)
def test_a_reader_takes_its_seeds_and_what_was_found(name: str) -> None:
    for data in (*TARGETS[name].seeds, *FOUND.get(name, ())):
        TARGETS[name].feed(data)


def cut_and_joined(target: Target) -> st.SearchStrategy[bytes]:
    """A seed with a stretch of it taken out or repeated, or other bytes in its place."""

    def changed(seed: bytes, start: float, length: int, other: bytes, times: int) -> bytes:
        at = int(start * len(seed))
        return seed[:at] + other * times + seed[at + length :]

    return st.builds(
        changed,
        st.sampled_from(target.seeds),
        st.floats(0, 1),
        st.integers(0, 200),
        st.one_of(st.binary(max_size=40), st.text(max_size=20).map(str.encode)),
        st.integers(0, 3),
    )


@pytest.mark.parametrize("name", TARGETS)
def test_a_reader_refuses_what_it_does_not_take_with_its_own_error(name: str) -> None:
    target = TARGETS[name]

    @settings(max_examples=60, deadline=None)
    @given(st.one_of(cut_and_joined(target), st.binary(max_size=400)))
    def fed(data: bytes) -> None:
        target.feed(data)

    fed()
