"""The words of moods, weather and colours, in English and Chinese, each with the look it gives."""

from dataclasses import dataclass

from callsheet.sandbox.look import Lamp, Look


@dataclass(frozen=True, kw_only=True)
class Word:
    """words: English, whole words, as a regular expression. chinese: looked for anywhere, Chinese has no spaces."""

    name: str
    words: str
    chinese: str
    look: Look


_SUN = Lamp(x=0.16, y=0.34, width=0.50, height=0.62, colour=(1.0, 0.80, 0.55))

LEXICON: tuple[Word, ...] = (
    Word(
        name="dusk",
        words=r"dusk|sunset|twilight|sundown|evening|nightfall|blue hour",
        chinese="黄昏|日落|夕阳|傍晚|暮色|晚霞",
        look=Look(
            key=0.56,
            exposure=-0.10,
            contrast=0.30,
            saturation=-0.22,
            shadows=(0.026, -0.085),
            highlights=(0.050, 0.020),
            top=(0.34, 0.32, 0.60),
            middle=(0.80, 0.52, 0.54),
            bottom=(0.24, 0.20, 0.40),
            lamps=(Lamp(x=0.90, y=0.46, width=0.52, height=0.30, colour=(1.0, 0.66, 0.36)),),
            flares=(
                Lamp(x=0.96, y=0.46, width=0.50, height=0.20, colour=(0.52, 0.20, 0.05)),
                Lamp(x=0.98, y=0.46, width=0.16, height=0.16, colour=(0.40, 0.26, 0.12)),
            ),
            glow=0.30,
            bloom=0.4,
            vignette=0.40,
        ),
    ),
    Word(
        name="golden hour",
        words=r"golden hour|golden light|golden|sunlit|sunlight|sunrise|dawn|sun-?kissed|honey",
        chinese="黄金时刻|金色|日出|黎明|阳光",
        look=Look(
            exposure=0.10,
            contrast=0.12,
            saturation=0.12,
            warmth=0.9,
            highlights=(0.010, 0.050),
            shadows=(0.012, -0.012),
            top=(1.0, 0.90, 0.76),
            middle=(1.0, 0.90, 0.74),
            bottom=(0.82, 0.66, 0.52),
            lamps=(_SUN,),
            flares=(Lamp(x=0.06, y=0.12, width=0.62, height=0.66, colour=(0.46, 0.28, 0.08)),),
            glow=0.30,
            bloom=0.5,
            vignette=0.20,
        ),
    ),
    Word(
        name="neon",
        words=r"neon|cyberpunk|synthwave|vaporwave|blade ?runner|nightclub|arcade|tron",
        chinese="霓虹|赛博朋克|夜店",
        look=Look(
            key=0.50,
            exposure=0.35,
            contrast=0.45,
            saturation=-0.35,
            shadows=(0.035, -0.085),
            highlights=(-0.02, -0.02),
            top=(0.30, 0.16, 0.52),
            middle=(0.32, 0.20, 0.58),
            bottom=(0.20, 0.12, 0.42),
            lamps=(
                Lamp(x=0.06, y=0.44, width=0.46, height=0.62, colour=(1.0, 0.12, 0.72)),
                Lamp(x=0.97, y=0.52, width=0.46, height=0.66, colour=(0.05, 0.86, 1.0)),
            ),
            flares=(
                Lamp(x=0.0, y=0.36, width=0.30, height=0.50, colour=(0.46, 0.02, 0.30)),
                Lamp(x=1.0, y=0.52, width=0.28, height=0.52, colour=(0.0, 0.30, 0.44)),
            ),
            glow=0.75,
            bloom=0.6,
            vignette=0.30,
        ),
    ),
    Word(
        name="night",
        words=r"night|midnight|moonlit|moonlight|after dark|nocturnal",
        chinese="夜晚|夜景|午夜|月光|深夜|夜色|夜",
        look=Look(
            key=0.54,
            exposure=-0.45,
            contrast=0.18,
            saturation=-0.42,
            shadows=(-0.004, -0.055),
            highlights=(-0.010, -0.030),
            top=(0.30, 0.40, 0.66),
            middle=(0.50, 0.60, 0.86),
            bottom=(0.28, 0.36, 0.60),
            lamps=(Lamp(x=0.72, y=0.18, width=0.50, height=0.60, colour=(0.78, 0.88, 1.0)),),
            vignette=0.45,
            glow=0.20,
        ),
    ),
    Word(
        name="winter",
        words=r"winter|wintry|snow|snowy|snowfall|snowing|frost|frosty|frozen|ice|icy|arctic|blizzard|christmas",
        chinese="冬|雪|冰|霜|圣诞",
        look=Look(
            exposure=0.20,
            contrast=-0.05,
            saturation=-0.38,
            warmth=-0.55,
            frost=0.85,
            shadows=(-0.008, -0.028),
            highlights=(-0.004, -0.012),
            haze=0.22,
            glow=0.18,
            snow=1.0,
        ),
    ),
    Word(
        name="autumn",
        words=r"autumn|autumnal|fall colou?rs|fall foliage|october|harvest",
        chinese="秋|红叶|落叶",
        look=Look(warmth=0.45, saturation=0.10, foliage=(0.115, 0.02), highlights=(0.008, 0.030), vignette=0.18),
    ),
    Word(
        name="noir",
        words=r"noir|black[- ]and[- ]white|black & white|b&w|monochrome|greyscale|grayscale",
        chinese="黑白|单色|黑色电影",
        look=Look(
            key=0.54,
            contrast=0.55,
            mono=1.0,
            grain=0.5,
            vignette=0.55,
            top=(0.55, 0.55, 0.55),
            middle=(0.80, 0.80, 0.80),
            bottom=(0.45, 0.45, 0.45),
            lamps=(Lamp(x=0.55, y=0.42, width=0.44, height=0.52, colour=(1.0, 1.0, 1.0)),),
        ),
    ),
    Word(
        name="vintage",
        words=r"vintage|retro|nostalgic|nostalgia|old film|super ?8|16 ?mm|analog|analogue|kodachrome|polaroid|1970s|70s|80s",
        chinese="复古|怀旧|老电影|胶片",
        look=Look(
            contrast=-0.10,
            saturation=-0.22,
            warmth=0.50,
            fade=0.13,
            shadows=(0.006, 0.016),
            highlights=(0.004, 0.036),
            grain=0.7,
            vignette=0.40,
        ),
    ),
    Word(
        name="sepia",
        words=r"sepia|daguerreotype",
        chinese="棕褐",
        look=Look(mono=1.0, shadows=(0.012, 0.034), highlights=(0.010, 0.050), fade=0.08, grain=0.4, vignette=0.4),
    ),
    Word(
        name="dreamy",
        words=r"dream|dreamy|dreamlike|ethereal|fairy ?tale|magical|romantic|enchanted",
        chinese="梦幻|梦境|童话|浪漫|唯美",
        look=Look(
            exposure=0.25,
            contrast=-0.22,
            saturation=-0.04,
            fade=0.06,
            shadows=(0.022, -0.020),
            highlights=(0.024, 0.006),
            glow=0.85,
            bloom=1.0,
            softness=0.6,
        ),
    ),
    Word(
        name="pastel",
        words=r"pastel|pastels|candy|soft colou?rs|baby (?:blue|pink)",
        chinese="粉彩|马卡龙|糖果",
        look=Look(
            exposure=0.45, contrast=-0.35, saturation=-0.18, fade=0.16, shadows=(0.03, -0.02), highlights=(0.014, 0.010)
        ),
    ),
    Word(
        name="underwater",
        words=r"underwater|undersea|ocean floor|submerged|deep sea|aquatic",
        chinese="水下|海底|水底",
        look=Look(
            key=0.62,
            exposure=0.10,
            contrast=-0.12,
            saturation=-0.30,
            shadows=(-0.045, -0.075),
            highlights=(-0.055, -0.010),
            top=(0.62, 0.96, 0.98),
            middle=(0.30, 0.68, 0.80),
            bottom=(0.08, 0.26, 0.46),
            lamps=(Lamp(x=0.5, y=-0.05, width=0.55, height=0.55, colour=(0.80, 1.0, 0.98)),),
            flares=(Lamp(x=0.45, y=-0.10, width=0.40, height=0.55, colour=(0.10, 0.30, 0.28)),),
            softness=0.35,
            glow=0.35,
            vignette=0.30,
        ),
    ),
    Word(
        name="fog",
        words=r"fog|foggy|mist|misty|haze|hazy|smoke|smoky",
        chinese="雾|薄雾|迷雾|烟雾|朦胧",
        look=Look(contrast=-0.28, saturation=-0.35, warmth=-0.10, fade=0.08, haze=0.95, softness=0.15),
    ),
    Word(
        name="rain",
        words=r"rain|rainy|raining|drizzle|downpour|storm|stormy|thunder\w*|monsoon|overcast|cloudy|gloomy",
        chinese="雨|暴风|阴天",
        look=Look(
            key=0.62,
            exposure=-0.50,
            contrast=0.08,
            saturation=-0.35,
            warmth=-0.40,
            shadows=(-0.006, -0.020),
            haze=0.28,
            rain=1.0,
            vignette=0.25,
        ),
    ),
    Word(
        name="cinematic",
        words=r"cinematic|film look|movie|hollywood|blockbuster|anamorphic|epic|dramatic|teal and orange",
        chinese="电影|大片|史诗|戏剧",
        look=Look(
            contrast=0.30,
            saturation=-0.05,
            shadows=(-0.030, -0.036),
            highlights=(0.022, 0.034),
            vignette=0.35,
            grain=0.15,
        ),
    ),
    Word(
        name="desert",
        words=r"desert|sahara|dune|dunes|mars|martian|western|wasteland",
        chinese="沙漠|火星|沙丘|荒漠",
        look=Look(
            contrast=0.12,
            saturation=0.02,
            warmth=1.0,
            foliage=(0.10, 0.0),
            shadows=(0.018, 0.012),
            highlights=(0.016, 0.046),
            haze=0.18,
        ),
    ),
    Word(
        name="tropical",
        words=r"tropical|summer|summery|beach|paradise|caribbean|vivid|vibrant|colou?rful|saturated|pop art",
        chinese="夏|热带|鲜艳|海滩|缤纷",
        look=Look(exposure=0.18, contrast=0.14, saturation=0.42, warmth=0.12),
    ),
    Word(
        name="fire",
        words=r"fire|firelight|candle|candlelit|candlelight|lantern|lava|flames?|ember|embers|campfire",
        chinese="火|烛光|灯笼|熔岩",
        look=Look(
            key=0.52,
            exposure=0.10,
            contrast=0.30,
            warmth=1.0,
            saturation=0.10,
            shadows=(0.030, 0.004),
            highlights=(0.024, 0.060),
            top=(0.34, 0.18, 0.12),
            middle=(0.72, 0.42, 0.24),
            bottom=(0.80, 0.44, 0.22),
            lamps=(Lamp(x=0.5, y=0.80, width=0.50, height=0.50, colour=(1.0, 0.74, 0.42)),),
            flares=(Lamp(x=0.5, y=1.02, width=0.55, height=0.36, colour=(0.42, 0.14, 0.02)),),
            glow=0.45,
            vignette=0.40,
        ),
    ),
    Word(
        name="studio",
        words=r"studio|softbox|high[- ]key|clean|minimal|minimalist|white background|product shot|commercial",
        chinese="摄影棚|影棚|极简|干净",
        look=Look(exposure=0.32, contrast=0.16, saturation=0.04, warmth=-0.10, glow=0.10),
    ),
    Word(
        name="luxury",
        words=r"luxury|luxurious|premium|elegant|low[- ]key|moody|dark",
        chinese="奢华|高级|优雅|暗调|深色",
        look=Look(
            key=0.52,
            exposure=-0.20,
            contrast=0.35,
            saturation=-0.10,
            shadows=(0.004, -0.010),
            highlights=(0.010, 0.030),
            top=(0.52, 0.50, 0.52),
            middle=(0.84, 0.80, 0.76),
            bottom=(0.42, 0.40, 0.40),
            lamps=(Lamp(x=0.5, y=0.45, width=0.42, height=0.52, colour=(1.0, 0.97, 0.90)),),
            vignette=0.55,
        ),
    ),
    Word(
        name="warm", words=r"warm|warmer|cosy|cozy", chinese="暖|温馨", look=Look(warmth=0.9, highlights=(0.006, 0.018))
    ),
    Word(
        name="cold", words=r"cold|colder|cool|cooler|chilly", chinese="冷|寒", look=Look(warmth=-0.9, saturation=-0.08)
    ),
    Word(
        name="bright",
        words=r"bright|brighter|brightly|airy|sunny",
        chinese="明亮|亮",
        look=Look(exposure=0.45, contrast=-0.05),
    ),
    Word(
        name="pink",
        words=r"pink|magenta|rose",
        chinese="粉色|粉红|玫瑰",
        look=Look(shadows=(0.045, -0.01), highlights=(0.045, 0.0)),
    ),
    Word(
        name="blue",
        words=r"blue|azure|navy",
        chinese="蓝",
        look=Look(shadows=(-0.01, -0.06), highlights=(-0.012, -0.03)),
    ),
    Word(
        name="green",
        words=r"green|emerald|jungle|matrix",
        chinese="绿",
        look=Look(shadows=(-0.05, 0.02), highlights=(-0.035, 0.02)),
    ),
    Word(
        name="purple",
        words=r"purple|violet|lavender",
        chinese="紫",
        look=Look(shadows=(0.04, -0.06), highlights=(0.025, -0.03)),
    ),
    Word(
        name="red",
        words=r"red|crimson|scarlet|blood",
        chinese="红",
        look=Look(shadows=(0.06, 0.02), highlights=(0.04, 0.02)),
    ),
    Word(
        name="teal",
        words=r"teal|cyan|turquoise|aqua",
        chinese="青",
        look=Look(shadows=(-0.05, -0.03), highlights=(-0.035, -0.01)),
    ),
    Word(name="grain", words=r"grain|grainy|gritty|film grain", chinese="颗粒", look=Look(grain=0.8)),
    Word(
        name="glow", words=r"glow|glowing|bloom|luminous|radiant", chinese="发光|光晕", look=Look(glow=0.6, bloom=0.6)
    ),
)
