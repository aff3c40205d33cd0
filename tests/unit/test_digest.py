"""Content identity does not depend on how a thing is written down, and changes with every change of what it says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsheet import digest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), JSON))
def test_the_order_of_keys_does_not_count(mapping: dict[str, digest.Canonical]) -> None:
    assert digest.of_json(mapping) == digest.of_json(dict(reversed(mapping.items())))


@given(JSON, JSON)
def test_different_values_have_different_digests(one: digest.Canonical, other: digest.Canonical) -> None:
    same = repr(one) == repr(other)  # repr tells True from 1, which == does not
    assert (digest.of_json(one) == digest.of_json(other)) or not same


def test_true_is_not_one_and_text_is_not_a_number() -> None:
    assert len({digest.of_json(value) for value in (True, 1, "1", [1], None)}) == 5


@pytest.mark.parametrize("value", [1.0, [1.0], {"a": {"b": 0.5}}, {1: "a"}, {"a": {2: 3}}])
def test_a_float_or_a_key_that_is_no_text_is_refused(value: digest.Canonical) -> None:
    with pytest.raises(TypeError):
        digest.of_json(value)
