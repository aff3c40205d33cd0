"""Words for transitions and effects, in English and Chinese; what they do is in `effects`."""

from callsheet.sandbox.look import Lamp, Look
from callsheet.sandbox.word import Word


def _trick(name: str, words: str, chinese: str) -> Word:
    return Word(name=name, words=words, chinese=chinese, effect=name)


TRANSITIONS: tuple[Word, ...] = (
    _trick(
        "fade in", r"fad(?:e|es|ing)[- ]in|fad(?:e|es|ing) (?:up )?from black|opens? from black", "淡入|渐显|从黑场"
    ),
    _trick(
        "fade out", r"fad(?:e|es|ing)[- ]out|fad(?:e|es|ing)(?: in)?to black|ends? in black", "淡出|渐隐|黑场结束|转黑"
    ),
    _trick("fade from white", r"fad(?:e|es|ing)(?: up| in)? from white|white[- ]in", "从白场|白场淡入|由白渐显"),
    _trick("fade to white", r"fad(?:e|es|ing)(?: out)? (?:in)?to white|white[- ]out", "转白|白场结束|渐白"),
    _trick("flash", r"flash(?:es|ing)?|strobe|camera flash|paparazzi", "闪光|闪白|频闪"),
    _trick("wipe", r"wipe(?:s)?|curtain wipe", "划像|擦除转场|划变"),
)

EFFECTS: tuple[Word, ...] = (
    _trick("light leak", r"light[- ]leaks?|film burn", "漏光"),
    Word(
        name="lens flare",
        words=r"lens[- ]flares?|sun flares?|sun ?beams?|god rays",
        chinese="镜头光斑|炫光|眩光|耶稣光|丁达尔",
        look=Look(
            exposure=0.05,
            flares=(
                Lamp(x=0.80, y=0.14, width=0.16, height=0.22, colour=(0.62, 0.52, 0.34)),
                Lamp(x=0.80, y=0.14, width=0.80, height=0.012, colour=(0.30, 0.26, 0.20)),
                Lamp(x=0.56, y=0.42, width=0.030, height=0.050, colour=(0.10, 0.22, 0.16)),
                Lamp(x=0.44, y=0.56, width=0.055, height=0.090, colour=(0.16, 0.08, 0.16)),
                Lamp(x=0.28, y=0.74, width=0.035, height=0.060, colour=(0.06, 0.14, 0.24)),
            ),
            glow=0.25,
        ),
    ),
    _trick("glitch", r"glitch|glitchy|datamosh\w*|digital error|corrupted", "故障|信号干扰|数字噪"),
    _trick("mirror", r"mirror(?:ed)?|symmetr(?:y|ical)", "镜像|对称"),
    _trick("kaleidoscope", r"kaleidoscop(?:e|ic)", "万花筒"),
    _trick("shake", r"camera shake|shak(?:e|es|ing)|earthquake|impact", "震动|抖动|地震|震颤"),
    Word(
        name="vignette",
        words=r"vignett(?:e|ing)|dark edges",
        chinese="暗角",
        look=Look(vignette=0.8),
    ),
    _trick("letterbox", r"letterbox(?:ed)?|black bars|2\.39|2\.35", "黑边|遮幅|电影黑边"),
    _trick("tilt-shift", r"tilt[- ]shift|miniature|toy town", "移轴|微缩"),
    _trick("halftone", r"half-?tone|comic book|comics?|pop[- ]art|newsprint", "半色调|漫画|网点|波普"),
    _trick("pixelate", r"pixelat(?:e|ed)|pixel art|8[- ]bit|mosaic", "像素|马赛克"),
    _trick("scan lines", r"scan ?lines|old television|interlaced", "扫描线|老电视"),
    _trick(
        "chromatic aberration", r"chromatic aberration|rgb split|prism(?:atic)?|3d glasses|anaglyph", "色差|色散|棱镜"
    ),
    _trick("motion blur", r"motion blur|light trails|long exposure|speed blur", "动态模糊|运动模糊|长曝光|拖影"),
    _trick("echo", r"echo(?:es)?|ghosting|double exposure|afterimage", "重影|双重曝光|残影"),
    _trick("inverted", r"invert(?:ed)?(?: colou?rs)?|negative film|x-?ray", "负片|反色|反相|透视光"),
    _trick("sharp", r"sharp(?:en|er)?|crisp|ultra[- ]detailed|hyper-?detailed", "锐利|清晰|超清"),
    _trick("gate weave", r"gate weave|projector|flickering film", "放映机|片门抖动"),
    _trick("lightning", r"lightning|thunderbolt", "闪电|雷电"),
)

EFFECT_WORDS: tuple[Word, ...] = (*TRANSITIONS, *EFFECTS)
