"""The corpus of the quality checks: films with one defect each, and good films that look as if they had one. Seeded.

Sources are cut from the footage in `media/`, plain or made awkward (fades, title cards, cuts, night, flashing lights).
A film is an edit of one, re-encoded as a provider would, and then broken, or not. `python -m tests.media.defects` is
`make quality`: all of it, and the table of docs/quality.md.
"""

import argparse
import asyncio
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

from callsheet.media import command, look, probe, quality
from callsheet.media.quality import Traits
from callsheet.quality import Asked, Sound, flags, judge, spoken
from callsheet.sidecar import Quality

ROOT = Path(__file__).parents[2]
CLIPS, STILLS = ROOT / "media/clips", ROOT / "media/references"
SEED = 31
LIMIT = timedelta(minutes=2)
#: Set to keep what is made, and to tell every number of good films.
KEEPS, TELLS = (bool(os.environ.get(name)) for name in ("KEEP", "TELL"))
#: Seconds of a film: long enough for every defect to have a beginning and an end.
SECONDS = 4.0
#: Pixels of a source. Small, so that many are made; a provider's film is larger, and its noise is averaged away.
SIZE = "320:180"
RATE = 25


@dataclass(frozen=True, kw_only=True)
class Source:
    """A clip as it would be sent. extra: filters of its picture. sound: the input to take it from; none for a silent clip."""

    name: str
    clip: str
    start: float
    extra: str = "null"
    cut: str = ""  # another clip that it is cut to in the middle
    has_sound: bool = True


@dataclass(frozen=True, kw_only=True)
class Film:
    """What is done to a source. kind: of the defect, or of the good film. expect: the checks of which one has to flag."""

    kind: str
    source: Source
    picture: str
    sound: str | None = "anull"
    options: tuple[str, ...] = ()
    keeps: Sound = "kept"
    shape: Fraction = Fraction(16, 9)
    expect: tuple[str, ...] = ()
    other: str = ""  # a clip whose sound is taken instead
    is_copy: bool = False

    @property
    def is_good(self) -> bool:
        return not self.expect


Breaks = Callable[[random.Random, Film], Film]

# --- sources -----------------------------------------------------------------------------------------------------------

#: Filters that make a source awkward, by its name. Grain is what is left of strong grain at 1080 lines in pictures so small.
AWKWARD = {
    "plain": "null",
    "fades from and to black": "fade=in:st=0:d=1,fade=out:st=3:d=1",
    "fade to black and back": "fade=out:st=1:d=0.6:enable='lt(t,1.9)',fade=in:st=1.9:d=0.6:enable='gte(t,1.9)'",
    "title card": "drawbox=c=black:t=fill:enable='lt(t,1.2)',"
    "drawbox=x=iw/4:y=ih/2-6:w=iw/2:h=12:c=white:t=fill:enable='lt(t,1.2)'",
    "held frame": "trim=0:3.1,setpts=PTS-STARTPTS,tpad=stop_mode=clone:stop_duration=0.9",
    "night": "eq=brightness=-0.28:contrast=0.7,noise=alls=3:allf=t",
    "flashing lights": "eq=brightness='0.22*gt(sin(2*PI*4*t),0.3)':eval=frame",
    "white flash": "drawbox=c=white:t=fill:enable='between(t,2.01,2.1)'",
    "letterboxed": "crop=iw:ih*0.76,pad=iw:ih/0.76:0:-1",
    "on twos": "fps=12.5,fps=25",
    "grain": "noise=alls=5:allf=t",
    "slow": "setpts=3*PTS,fps=25,trim=0:4,setpts=PTS-STARTPTS",
    "dim": "eq=brightness=-0.12:saturation=0.3",
}


def sources(dice: random.Random) -> list[Source]:
    """Every awkwardness on every clip, at a start of chance."""
    lengths = {"bunny": 1.2, "box": 10.5, "cup": 3.9}
    found = [
        Source(name=f"{clip}, {name}", clip=clip, start=round(dice.uniform(0, most), 2), extra=extra)
        for name, extra in AWKWARD.items()
        for clip, most in lengths.items()
    ]
    cuts = [("bunny", "cup"), ("cup", "box"), ("box", "bunny")]
    found += [
        Source(name=f"{one} cut to {other}", clip=one, start=round(dice.uniform(0, 1), 2), cut=other)
        for one, other in cuts
    ]
    return [*found, *(replace(one, name=f"{one.name}, silent", has_sound=False) for one in found[:3])]


# --- edits that are good -----------------------------------------------------------------------------------------------

#: What a model may make of a clip, as filters: what is changed is to be seen, nothing of it is wrong.
EDITS = {
    "warm": "colorbalance=rs=.18:bs=-.18,eq=saturation=1.15",
    "cold": "colorbalance=rs=-.16:bs=.2",
    "dusk": "eq=brightness=-0.1:contrast=1.1:saturation=0.8,colorbalance=rm=.12:bm=-.1",
    "night": "eq=brightness=-0.24:contrast=0.9,colorbalance=bs=.2:bm=.15",
    "black and white": "hue=s=0",
    "sepia": "colorchannelmixer=.393:.769:.189:0:.349:.686:.168:0:.272:.534:.131",
    "bright": "eq=brightness=0.1:contrast=1.15",
    "contrast": "eq=contrast=1.5",
    "other hue": "hue=h=70",
    "vivid": "vibrance=intensity=1.6",
    "negative": "negate",
    "soft": "gblur=sigma=2,eq=gamma=1.15",
    "grain": "noise=alls=6:allf=t,eq=contrast=0.85",
    "denoised": "hqdn3d=8:6:12:10,colorbalance=rm=.1",
    "vignette": "vignette=PI/3.2",
    "cartoon": "edgedetect=mode=colormix:high=0.15:low=0.05",
    "small logo": "drawbox=x=iw*0.06:y=ih*0.08:w=iw*0.2:h=ih*0.15:c=orange:t=fill",
    "red mug": "drawbox=x=iw*0.4:y=ih*0.35:w=iw*0.2:h=ih*0.3:c=red@0.5:t=fill",
    "a little closer": "crop=iw*0.94:ih*0.94,scale=320:180,colorbalance=gm=.12",
    "posterised": "lutyuv=y='floor(val/32)*32+16'",
    "slow push": "scale=w='trunc(160*(1+0.02*t))*2':h='trunc(90*(1+0.02*t))*2':eval=frame,crop=320:180,eq=gamma=1.2",
    "plain wall behind": "drawbox=x=0:y=0:w=iw*0.28:h=ih:c=gray:t=fill",
}

#: A model makes red, green and blue, and a picture made so has no colour that there is not.
AS_RGB = "format=gbrp,format=yuv420p"

#: How the provider may encode it.
ENCODES: tuple[tuple[str, ...], ...] = (
    ("-crf", "18"),
    ("-crf", "23"),
    ("-crf", "28"),
    ("-crf", "31", "-preset", "veryfast"),
    ("-crf", "21", "-r", "24"),
    ("-crf", "23", "-s", "640x360"),
    ("-crf", "23", "-s", "336x192"),
    ("-b:v", "300k", "-preset", "veryfast", "-g", "30"),
)
#: What may become of sound that is kept.
KEPT = ("anull", "volume=0.6", "volume=1.4,alimiter=limit=0.9", "lowpass=6000", "adelay=25:all=1", "aresample=44100")


def good(dice: random.Random, source: Source) -> Film:
    """An edit of this source, as it should be."""
    name = dice.choice(list(EDITS))
    sound: Sound = "kept" if source.has_sound else "none"
    picture = f"{EDITS[name]},{AS_RGB}"
    film = Film(kind=f"{name} of {source.name}", source=source, picture=picture, sound=dice.choice(KEPT))
    film = replace(film, options=dice.choice(ENCODES), keeps=sound)
    if not source.has_sound or dice.random() < 0.15:
        return replace(film, keeps="none", sound=None)
    return film


def reframed(dice: random.Random, source: Source) -> Film:
    """The same in another shape, as asked."""
    film = good(dice, source)
    if dice.random() < 0.5:
        return replace(
            film,
            picture=f"{film.picture},scale=320:180,crop=ih*9/16:ih,scale=180:320",
            shape=Fraction(9, 16),
            options=("-crf", "23"),
        )
    return replace(
        film,
        picture=f"{film.picture},scale=320:180,crop=ih:ih,scale=240:240",
        shape=Fraction(1),
        options=("-crf", "23"),
    )


# --- defects -----------------------------------------------------------------------------------------------------------


def _stretch(dice: random.Random, least: float, most: float) -> tuple[float, float]:
    """From, to: somewhere inside of the film."""
    lasts = dice.uniform(least, most)
    start = dice.uniform(0.3, SECONDS - 0.3 - lasts)
    return round(start, 2), round(start + lasts, 2)


def _during(dice: random.Random, filter_: str, least: float, most: float) -> str:
    start, end = _stretch(dice, least, most)
    return f"{filter_}:enable='between(t,{start},{end})'"


def _then(film: Film, kind: str, filters: str, *checks: str, **changes: object) -> Film:
    return replace(film, kind=kind, picture=f"{film.picture},{filters}", expect=checks, **changes)  # type: ignore[arg-type]


def _frozen_tail(dice: random.Random, film: Film) -> Film:
    lasts = round(dice.uniform(0.7, 2.5), 2)
    filters = f"trim=0:{SECONDS - lasts:.2f},setpts=PTS-STARTPTS,tpad=stop_mode=clone:stop_duration={lasts}"
    return _then(film, "frozen to the end", filters, "frozen")


def _frozen(dice: random.Random, film: Film) -> Film:
    first = round(_stretch(dice, 0.6, 2)[0] * RATE)
    last = first + round(dice.uniform(0.6, 2) * RATE)
    filters = f"split[a][b];[a][b]freezeframes=first={first}:last={last}:replace={first}"
    return _then(film, "frozen stretch", filters, "frozen")


def _half_frozen(dice: random.Random, film: Film) -> Film:
    first = round(dice.uniform(0.6, 1.4) * RATE)
    side = "iw/4"  # the middle, where something moves in every clip
    filters = (
        f"split=3[a][b][c];[b]crop=iw/2:ih:{side}:0,split[d][e];[c]nullsink;"
        f"[d][e]freezeframes=first={first}:last=200:replace={first}[f];[a][f]overlay=x={side.replace('iw', 'W')}:y=0"
    )
    return _then(film, "half of it frozen", filters, "part-frozen", "frozen")


def _black(dice: random.Random, film: Film) -> Film:
    return _then(film, "black stretch", _during(dice, "drawbox=c=black:t=fill", 0.1, 1.5), "blank")


def _black_tail(dice: random.Random, film: Film) -> Film:
    start = round(SECONDS - dice.uniform(0.2, 2), 2)
    return _then(film, "black to the end", f"drawbox=c=black:t=fill:enable='gte(t,{start})'", "blank")


def _grey(dice: random.Random, film: Film) -> Film:
    return _then(
        film, "grey frames", _during(dice, "lutyuv=y=126:u=128:v=128", 0.1, 0.6), "blank", "colours", "flicker"
    )


def _green(dice: random.Random, film: Film) -> Film:
    return _then(film, "green frames", _during(dice, "lutyuv=y=0:u=0:v=0", 0.06, 0.6), "colours")


def _pink(dice: random.Random, film: Film) -> Film:
    return _then(film, "pink frames", _during(dice, "lutyuv=u=255:v=255", 0.06, 0.6), "colours")


def _green_part(dice: random.Random, film: Film) -> Film:
    share = round(dice.uniform(0.25, 0.6), 2)
    start, end = _stretch(dice, 0.1, 0.8)
    filters = (
        f"split[a][b];[b]crop=iw:ih*{share}:0:ih*{1 - share:.2f},lutyuv=y=0:u=0:v=0[c];"
        f"[a][c]overlay=y=H-h:enable='between(t,{start},{end})'"
    )
    return _then(film, "lower part green", filters, "colours")


def _flicker(dice: random.Random, film: Film) -> Film:
    rate, depth = dice.uniform(5, 12), dice.uniform(0.05, 0.15)
    filters = f"eq=brightness='{depth:.3f}*sin(2*PI*{rate:.2f}*t)':eval=frame"
    return _then(film, "flicker", filters, "flicker")


def _flash(dice: random.Random, film: Film) -> Film:
    at = round(_stretch(dice, 0.1, 0.2)[0] * RATE) / RATE
    filters = f"drawbox=c=white@0.9:t=fill:enable='between(t,{at - 0.005:.3f},{at + 0.035:.3f})'"
    # At another rate than the film's own the encoder leaves frames out, and this one may be among them.
    options = ("-crf", "23") if "-r" in film.options else film.options
    return _then(film, "one white frame", filters, "flicker", "blank", options=options)


def _low_rate(dice: random.Random, film: Film) -> Film:
    return _then(film, "too few frames", f"fps={dice.choice((8, 10, 12, 15))}", "frame-rate", options=("-crf", "23"))


def _judder(dice: random.Random, film: Film) -> Film:
    low, high = dice.choice(((12, 24), (15, 30), (12, 25), (10, 30), (16, 24)))
    return _then(film, "repeated frames", f"fps={low},fps={high}", "judder", options=("-crf", "23"))


def _aspect(dice: random.Random, film: Film) -> Film:
    size = dice.choice(("240:180", "180:320", "240:240", "320:200", "320:136"))
    return _then(film, "wrong shape", f"scale={size},setsar=1", "aspect-ratio", options=("-crf", "23"))


def _letterbox(dice: random.Random, film: Film) -> Film:
    share = round(dice.uniform(0.6, 0.88), 2)
    filters = f"crop=iw:ih*{share},pad=iw:ih/{share}:0:-1,scale=320:180"
    return _then(film, "bars above and below", filters, "bars", options=("-crf", "23"))


def _pillarbox(dice: random.Random, film: Film) -> Film:
    share = round(dice.uniform(0.5, 0.85), 2)
    filters = f"scale=iw*{share}:ih,pad=320:180:-1:-1,setsar=1"
    return _then(film, "bars left and right", f"scale=320:180,{filters}", "bars", options=("-crf", "23"))


def _backwards(dice: random.Random, film: Film) -> Film:
    return _then(film, "backwards", "reverse", "backwards")


def _short(dice: random.Random, film: Film) -> Film:
    lasts = round(SECONDS - dice.uniform(0.65, 0.95), 2)
    return _then(film, "too short", f"trim=0:{lasts},setpts=PTS-STARTPTS", "length")


def _long(dice: random.Random, film: Film) -> Film:
    filters = f"setpts={1 + dice.uniform(0.65, 0.95) / SECONDS:.3f}*PTS,fps=25"
    return _then(film, "too long", filters, "length")


def _unchanged(dice: random.Random, film: Film) -> Film:
    is_copy = dice.random() < 0.25
    return replace(film, kind="unchanged", picture="null", expect=("unchanged",), is_copy=is_copy)


def _no_sound(dice: random.Random, film: Film) -> Film:
    return replace(film, kind="no sound", sound=None, keeps="kept", expect=("sound",))


def _silent(dice: random.Random, film: Film) -> Film:
    return replace(film, kind="silent sound", sound="volume=0", keeps="kept", expect=("sound",))


def _unasked(dice: random.Random, film: Film) -> Film:
    return replace(film, kind="sound where none was asked", sound=dice.choice(KEPT), keeps="none", expect=("sound",))


def _muted(dice: random.Random, film: Film) -> Film:
    sound = _during(dice, "volume=0", 0.8, 2)
    return replace(film, kind="sound with a hole", sound=sound, keeps="kept", expect=("muted",))


def _late(dice: random.Random, film: Film) -> Film:
    ms = dice.randrange(200, 900)
    return replace(film, kind="sound late", sound=f"adelay={ms}:all=1", keeps="kept", expect=("sync",))


def _early(dice: random.Random, film: Film) -> Film:
    start = dice.uniform(0.2, 0.9)
    sound = f"atrim={start:.3f},asetpts=PTS-STARTPTS,apad=whole_dur={SECONDS}"
    return replace(film, kind="sound early", sound=sound, keeps="kept", expect=("sync",))


def _other_sound(dice: random.Random, film: Film) -> Film:
    other = dice.choice([name for name in ("bunny", "cup", "box") if name not in (film.source.clip, film.source.cut)])
    return replace(film, kind="other sound", other=other, keeps="kept", sound="anull", expect=("same-sound", "muted"))


#: Everything that can be wrong; what is of sound needs a source that has some.
PICTURE: tuple[Breaks, ...] = (
    *(_frozen_tail, _frozen, _half_frozen, _black, _black_tail, _grey, _green, _pink, _green_part, _flicker, _flash),
    *(_low_rate, _judder, _aspect, _letterbox, _pillarbox, _backwards, _short, _long, _unchanged),
)
SOUND: tuple[Breaks, ...] = (_no_sound, _silent, _unasked, _muted, _late, _early, _other_sound)


def corpus(seed: int, of_each: int, goods: int) -> list[Film]:
    """`of_each` films of every defect, and `goods` good ones."""
    dice = random.Random(seed)
    every = sources(dice)
    # What stands still, is black, repeats its frames or has bars already cannot be broken so that anybody would see it; and in
    # the night the checks see less, as docs/quality.md says.
    fit = [one for one in every if one.name.endswith((", plain", ", grain", ", dim"))]
    heard = [one for one in fit if one.has_sound]
    moving = [one for one in fit if one.clip != "cup"]  # in a half of it nothing much moves
    films = [
        _broken(dice, breaks, moving if breaks in (_half_frozen, _judder) else fit)
        for breaks in PICTURE
        for _ in range(of_each)
    ]
    films += [_broken(dice, breaks, heard) for breaks in SOUND for _ in range(of_each)]
    for number in range(goods):
        make = reframed if number % 6 == 5 else good
        films.append(make(dice, every[number % len(every)]))
    return films


def sample(seed: int) -> list[Film]:
    """One of every defect and some good ones, of one short source: what the tests have time for."""
    dice = random.Random(seed)
    source = Source(name="box, plain", clip="box", start=3.0)
    films = [_broken(dice, breaks, [source]) for breaks in (*PICTURE, *SOUND)]
    return [*films, *(good(dice, source) for _ in range(4)), reframed(dice, source)]


def _broken(dice: random.Random, breaks: Breaks, fit: Sequence[Source]) -> Film:
    source = dice.choice(fit)
    film = good(dice, source)
    # Edits that hide what is broken next are not asked for together with it.
    while "negative of" in film.kind or "small logo of" in film.kind:
        film = good(dice, source)
    return breaks(dice, film)


# --- making them -------------------------------------------------------------------------------------------------------

H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")


def _ffmpeg(*words: str | Path) -> None:
    head = [command.binary(), "-v", "error", "-nostdin", "-y", "-threads", "2"]
    done = subprocess.run([*head, *map(str, words)], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"ffmpeg {' '.join(map(str, words))}: {done.stderr[-800:]}")


def make_source(source: Source, target: Path) -> Path:
    """The clip as it would be prepared."""
    size = f"scale={SIZE}:force_original_aspect_ratio=increase,crop={SIZE},setsar=1,fps=25"
    first = ("-ss", str(source.start), "-t", str(SECONDS + 0.2), "-i", str(CLIPS / f"{source.clip}.mp4"))
    inputs: tuple[str, ...] = first
    graph = f"[0:v]{size},{source.extra}[v]"
    if source.cut:
        inputs += ("-t", str(SECONDS), "-i", str(CLIPS / f"{source.cut}.mp4"))
        half = SECONDS / 2
        graph = f"[0:v]{size},trim=0:{half}[a];[1:v]{size},trim=0:{half}[b];[a][b]concat=n=2[v]"
    sound = ("-map", "0:a", "-c:a", "aac", "-b:a", "128k") if source.has_sound else ()
    times = ("-t", str(SECONDS))
    _ffmpeg(*inputs, "-filter_complex", graph, "-map", "[v]", *sound, *H264, "-crf", "18", *times, target)
    return target


def make_film(film: Film, source: Path, target: Path) -> Path:
    """The film as the provider would give it."""
    if film.is_copy and film.keeps == "kept":
        target.write_bytes(source.read_bytes())
        return target
    inputs: tuple[str | Path, ...] = ("-i", source)
    graph = f"[0:v]{film.picture}[v]"
    sound: tuple[str, ...] = ("-an",)
    if film.sound is not None:
        place = "0:a"
        if film.other:
            inputs += ("-t", str(SECONDS), "-i", CLIPS / f"{film.other}.mp4")
            place = "1:a"
        graph += f";[{place}]{film.sound}[a]"
        sound = ("-map", "[a]", "-c:a", "aac", "-b:a", "96k")
    _ffmpeg(*inputs, "-filter_complex", graph, "-map", "[v]", *sound, *H264, *film.options, target)
    return target


@dataclass(kw_only=True)
class Bench:
    """Sources and films in one folder, each made once."""

    folder: Path
    _sources: dict[Source, Path] = field(default_factory=dict)
    _looks: dict[Source, Traits] = field(default_factory=dict)

    def source(self, source: Source) -> Traits:
        if source not in self._looks:
            path = make_source(source, self.folder / f"source-{abs(hash(source))}.mp4")
            self._sources[source] = path
            self._looks[source] = seen(path)
        return self._looks[source]

    def judged(self, film: Film, number: int) -> Quality:
        source = self.source(film.source)
        target = self.folder / f"film-{number}.mp4"
        result = seen(make_film(film, self._sources[film.source], target))
        if not KEEPS:
            target.unlink()
        return judge(quality.measure(result, source, source.look.sound), asked_of(film, source.look))


def seen(path: Path) -> Traits:
    return Traits(asyncio.run(look.of_film(path, probe.clip(path), time_limit=LIMIT)))


def asked_of(film: Film, source: look.Look) -> Asked:
    return Asked(
        seconds=SECONDS,
        shape=film.shape,
        shape_name=f"{film.shape.numerator}:{film.shape.denominator}",
        sound=film.keeps,
        has_source=True,
        source_rate=source.rate,
        source_shape=Fraction(16, 9),
    )


# --- the table ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Row:
    """How many films of one kind were made, and how many the checks that it is for have found."""

    kind: str
    made: int
    found: int


def run(films: Sequence[Film], folder: Path, *, tell: Callable[[str], None]) -> tuple[list[Row], list[str]]:
    """A row for each defect; and what of the good films was flagged, each with its flags."""
    bench = Bench(folder=folder)
    with ThreadPoolExecutor(command.cores() + 1) as pool:
        list(pool.map(bench.source, dict.fromkeys(film.source for film in films)))
        verdicts = list(pool.map(bench.judged, films, range(len(films))))
    made: dict[str, list[bool]] = {}
    alarms: list[str] = []
    for film, verdict in zip(films, verdicts, strict=True):
        if film.is_good:
            if TELLS:
                tell(f"good: {film.kind}: " + "; ".join(f"{one.check} {one.measured}" for one in verdict.findings))
            if verdict.verdict == "flag":
                alarms.append(f"{film.kind} {film.options}: {spoken(verdict)}")
            continue
        found = bool(set(flags(verdict)) & set(film.expect))
        made.setdefault(film.kind, []).append(found)
        if not found:
            tell(
                f"missed: {film.kind} [{film.source.name}] {film.picture} {film.sound} {film.options}: {spoken(verdict)}"
            )
            tell("    " + "; ".join(f"{one.check} {one.measured}" for one in verdict.findings))
    return [Row(kind=kind, made=len(found), found=sum(found)) for kind, found in made.items()], alarms


def table(rows: Sequence[Row], goods: int, alarms: Sequence[str]) -> Iterator[str]:
    yield f"{'defect':<30} {'made':>5} {'found':>6} {'recall':>7}"
    for row in rows:
        yield f"{row.kind:<30} {row.made:>5} {row.found:>6} {row.found / row.made:>7.1%}"
    made, found = sum(row.made for row in rows), sum(row.found for row in rows)
    yield f"{'all':<30} {made:>5} {found:>6} {found / max(made, 1):>7.1%}"
    yield f"{'good films':<30} {goods:>5} {len(alarms):>6} {len(alarms) / max(goods, 1):>7.1%} false alarms"


def main() -> int:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--seed", type=int, default=SEED)
    reader.add_argument("--each", type=int, default=10, help="films of each defect")
    reader.add_argument("--good", type=int, default=300, help="good films")
    reader.add_argument("--kind", default="", help="only defects whose name has this in it")
    given = reader.parse_args()
    films = [film for film in corpus(given.seed, given.each, given.good) if given.kind in film.kind or film.is_good]
    with TemporaryDirectory(prefix="callsheet-quality-") as folder:
        rows, alarms = run(films, Path(folder), tell=lambda line: print(line, file=sys.stderr))
    for alarm in alarms:
        print(f"false alarm: {alarm}", file=sys.stderr)
    goods = sum(film.is_good for film in films)
    print("\n".join(table(rows, goods, alarms)))
    made, found = sum(row.made for row in rows), sum(row.found for row in rows)
    return 0 if found >= 0.99 * made and len(alarms) <= 0.01 * goods else 1


if __name__ == "__main__":
    sys.exit(main())
