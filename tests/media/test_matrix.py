"""The table of docs/media.md, row by row: every kind of clip is decided, prepared and probed as it says."""

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from callsheet.catalogue import ClipLimits
from callsheet.errors import Unacceptable
from callsheet.limits import clip_preparation
from callsheet.media import clips, probe
from tests.media import matrix
from tests.media.conftest import Film
from tests.media.matrix import CASES, Case

PREPARED = [case for case in CASES if case.decision != "refuse"]
REFUSED = [case for case in CASES if case.decision == "refuse"]


def source_of(case: Case, film: Film, folder: Path) -> Path:
    whole = film(case.name, *case.words)
    if case.over is None:
        return whole
    source = folder / case.name
    source.write_bytes(case.over(whole.read_bytes()))
    return source


@pytest.mark.parametrize("case", PREPARED, ids=[case.kind for case in PREPARED])
async def test_every_kind_of_clip_is_decided_and_comes_out_as_the_page_says(
    film: Film, small: ClipLimits, tmp_path: Path, case: Case
) -> None:
    asked: dict[str, Any] = {
        **case.asked,
        **({"start": Fraction(case.asked["start"])} if "start" in case.asked else {}),
    }
    source = source_of(case, film, tmp_path)
    preparation = clip_preparation(probe.clip(source), small, **asked)
    assert (preparation.decision, "; ".join(preparation.reasons)) == (case.decision, case.why)
    facts = await clips.prepare(source, preparation, tmp_path / f"prepared{preparation.suffix}", small)
    assert matrix.told(facts) == case.result
    assert facts.seconds == preparation.seconds
    assert (facts.transfer, facts.full_range, facts.has_alpha, facts.interlaced) == ("sdr", False, False, False)
    assert (facts.rotation, facts.variable_rate, facts.audio_tracks <= 1) == (0, False, True)
    assert not facts.has_private_metadata
    assert clip_preparation(facts, small).decision == "pass"


@pytest.mark.parametrize("case", REFUSED, ids=[case.kind for case in REFUSED])
def test_every_other_file_is_refused_in_the_words_of_the_page(
    film: Film, small: ClipLimits, tmp_path: Path, case: Case
) -> None:
    with pytest.raises(Unacceptable) as refused:
        clip_preparation(probe.clip(source_of(case, film, tmp_path)), small)
    assert re.sub(r"\d+ (of its bytes)", r"… \1", refused.value.what) == case.result


def test_the_page_has_the_list_as_it_is() -> None:
    page = matrix.PAGE.read_text("utf-8")
    assert page == matrix.written(page), "make docs"
