"""Cheaper ways to the same campaign, each tried out: the edited campaign is read, surveyed and planned as any other.

Nothing is written or spent. What `check` would refuse is no suggestion, and each saving is the difference of two plans.
"""

import json
from dataclasses import replace

from callsheet import campaign, suggest, sweep
from callsheet.errors import MediaError, SpecError
from callsheet.steps.draw_up import Drawn, redraw
from callsheet.steps.load import Loaded, sources
from callsheet.suggest import Proposal, Scene, Suggestion

#: Proposals that are tried out. Each one plans the campaign anew: 10,000 variants take a second.
MOST_TRIED = 24


def economise(drawn: Drawn) -> tuple[Suggestion, ...]:
    """What would cost less, dearest saving first. `drawn` is the plan of a whole campaign."""
    loaded = drawn.loaded
    scene = Scene(
        campaign=loaded.campaign,
        facts={name: clip.facts for name, clip in drawn.survey.clips.items()},
        declared={name: str(source.place[1]) for name, source in loaded.clips.items()},
        lines=drawn.plan.lines,
    )
    tried = (_tried(drawn, proposal) for proposal in suggest.proposals(scene)[:MOST_TRIED])
    return tuple(sorted((one for one in tried if one is not None), key=lambda one: -one.saving.units))


def _tried(drawn: Drawn, proposal: Proposal) -> Suggestion | None:
    """The suggestion, where the edited campaign passes every check and costs less."""
    try:
        other = redraw(drawn, _edited(drawn.loaded, proposal))
    except (SpecError, MediaError):
        return None  # a campaign that cannot run is no cheaper way: that is what this finds out
    return suggest.weighed(proposal, drawn.plan, other.plan)


def _edited(loaded: Loaded, proposal: Proposal) -> Loaded:
    """The campaign as it would be loaded once the edits are written: the same files, read another way."""
    value = suggest.applied(loaded.campaign.document.value, proposal.edits)
    value.pop("extends", None)  # what it extends is in the value already
    text = json.dumps(value, ensure_ascii=False)
    edited = campaign.parse(text, file=str(loaded.spec), sources=sources(loaded.root))
    trims = {clip.name: clip.trim for clip in edited.clips}
    members: dict[str, list[str]] = {clip.name: [] for clip in edited.clips}
    for name, source in loaded.clips.items():
        members[str(source.place[1])].append(name)
    return replace(
        loaded,
        campaign=edited,
        clips={name: source._replace(trim=trims[str(source.place[1])]) for name, source in loaded.clips.items()},
        cells=sweep.cells(edited, members),
        warnings=(),
    )
