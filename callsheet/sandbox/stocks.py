"""Film stocks, cameras and laboratory processes, in English and Chinese, each with the look it gives."""

from callsheet.sandbox.look import Lamp, Look
from callsheet.sandbox.word import Word

STOCKS: tuple[Word, ...] = (
    Word(
        name="kodachrome",
        words=r"kodachrome|slide film",
        chinese="柯达克罗姆|反转片|柯达彩色",
        look=Look(
            contrast=0.28, saturation=0.26, warmth=0.30, shadows=(0.012, -0.012), highlights=(0.014, 0.022), grain=0.2
        ),
    ),
    Word(
        name="portra",
        words=r"portra|kodak gold|ultramax",
        chinese="柯达波特拉|波特拉|柯达金",
        look=Look(
            exposure=0.18,
            contrast=-0.10,
            saturation=-0.08,
            warmth=0.38,
            fade=0.05,
            highlights=(0.016, 0.024),
            grain=0.2,
        ),
    ),
    Word(
        name="ektachrome",
        words=r"ektachrome|provia",
        chinese="艾克塔克罗姆|冷调胶片",
        look=Look(contrast=0.24, saturation=0.14, warmth=-0.40, shadows=(-0.010, -0.034), grain=0.15),
    ),
    Word(
        name="velvia",
        words=r"velvia|fuji|fujifilm|fujicolor",
        chinese="富士|维尔维亚",
        look=Look(contrast=0.32, saturation=0.48, foliage=(-0.02, 0.012), shadows=(0.004, -0.020)),
    ),
    Word(
        name="tri-x",
        words=r"tri-?x|ilford|hp5|silver gelatin|street photography",
        chinese="黑白胶卷|银盐|依尔福",
        look=Look(contrast=0.50, mono=1.0, grain=1.0, vignette=0.20),
    ),
    Word(
        name="technicolor",
        words=r"technicolou?r|three[- ]strip|musical of the 1950s",
        chinese="特艺彩色|三色带|老好莱坞",
        look=Look(
            contrast=0.30,
            saturation=0.60,
            warmth=0.15,
            shadows=(0.016, -0.020),
            highlights=(0.026, 0.022),
            softness=0.15,
        ),
    ),
    Word(
        name="polaroid",
        words=r"polaroid|instant film|instax",
        chinese="宝丽来|拍立得|即时成像",
        look=Look(
            contrast=-0.16,
            saturation=-0.10,
            warmth=0.25,
            fade=0.15,
            shadows=(-0.014, 0.026),
            highlights=(0.024, 0.018),
            softness=0.25,
            vignette=0.40,
        ),
    ),
    Word(
        name="super 8",
        words=r"super ?8|8 ?mm|home movie",
        chinese="超8|超八|八毫米|家庭录像",
        look=Look(
            contrast=-0.05,
            saturation=-0.10,
            warmth=0.75,
            fade=0.10,
            shadows=(0.014, 0.014),
            highlights=(0.012, 0.044),
            grain=1.1,
            softness=0.35,
            vignette=0.60,
            flares=(Lamp(x=1.0, y=0.4, width=0.22, height=0.8, colour=(0.34, 0.12, 0.02)),),
        ),
        effect="gate weave",
    ),
    Word(
        name="16 mm",
        words=r"16 ?mm|newsreel|indie film",
        chinese="16毫米|十六毫米",
        look=Look(contrast=0.14, saturation=-0.14, warmth=0.22, fade=0.06, grain=0.9, vignette=0.25),
        effect="gate weave",
    ),
    Word(
        name="vhs",
        words=r"vhs|camcorder|video ?tape|crt|analog(?:ue)? video",
        chinese="录像带|磁带|家用录像机|显像管",
        look=Look(
            contrast=-0.05, saturation=0.10, warmth=-0.15, fade=0.08, softness=0.5, shadows=(0.012, -0.024), grain=0.5
        ),
        effect="scan lines",
    ),
    Word(
        name="bleach bypass",
        words=r"bleach[- ]bypass|skip bleach|war film",
        chinese="跳漂白|留银|漂白旁路",
        look=Look(contrast=0.62, saturation=-0.58, warmth=-0.10, grain=0.35),
    ),
    Word(
        name="cross process",
        words=r"cross[- ]process(?:ed|ing)?|xpro|lomo|lomography",
        chinese="交叉冲印|正负冲|乐摸",
        look=Look(contrast=0.36, saturation=0.22, shadows=(-0.034, -0.056), highlights=(-0.020, 0.070), vignette=0.45),
    ),
    Word(
        name="teal and orange",
        words=r"teal (?:and|&) orange|orange (?:and|&) teal|teal-orange",
        chinese="青橙|橙青|青橙色调",
        look=Look(contrast=0.24, saturation=0.08, shadows=(-0.052, -0.050), highlights=(0.042, 0.056)),
    ),
    Word(
        name="cyanotype",
        words=r"cyanotype|blueprint",
        chinese="蓝晒|蓝图",
        look=Look(
            mono=1.0, contrast=0.15, shadows=(-0.020, -0.110), highlights=(-0.016, -0.030), vignette=0.25, grain=0.3
        ),
    ),
    Word(
        name="infrared",
        words=r"infra-?red|aerochrome",
        chinese="红外",
        look=Look(
            contrast=0.28, saturation=-0.10, frost=0.75, foliage=(0.10, -0.05), shadows=(0.010, -0.040), glow=0.35
        ),
    ),
    Word(
        name="anamorphic",
        words=r"anamorphic|cinemascope|widescreen",
        chinese="变形宽银幕|宽银幕|变形镜头",
        look=Look(
            contrast=0.18,
            shadows=(-0.014, -0.026),
            flares=(
                Lamp(x=0.62, y=0.40, width=0.80, height=0.010, colour=(0.06, 0.26, 0.60)),
                Lamp(x=0.62, y=0.40, width=0.10, height=0.06, colour=(0.20, 0.30, 0.44)),
            ),
            vignette=0.30,
        ),
        effect="letterbox",
    ),
)
