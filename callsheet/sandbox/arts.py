"""Words for ways to paint and draw, in English and Chinese; who paints them is in `style`, and in `effects` where it cannot."""

from callsheet.sandbox.look import Look
from callsheet.sandbox.word import Word

ARTS: tuple[Word, ...] = (
    Word(
        name="watercolour",
        words=r"water-?colou?rs?|gouache|aquarelle",
        chinese="水彩|水粉",
        look=Look(exposure=0.20, contrast=-0.12, fade=0.04),
        effect="watercolour",
    ),
    Word(
        name="ink wash",
        words=r"ink wash|ink painting|sumi-?e|calligraphy|chinese painting",
        chinese="水墨|国画|泼墨|毛笔画",
        look=Look(saturation=-0.75, contrast=0.10, fade=0.03),
        effect="ink",
    ),
    Word(
        name="sketch",
        words=r"sketch|pencil|charcoal|line drawing|hand-?drawn|storyboard",
        chinese="素描|铅笔画|炭笔|线稿|手绘|分镜",
        look=Look(mono=0.92),
        effect="sketch",
    ),
    Word(
        name="woodblock",
        words=r"ukiyo-?e|woodblock|hokusai|woodcut|linocut",
        chinese="浮世绘|木版画|版画",
        look=Look(saturation=0.10),
        effect="woodblock",
    ),
    Word(
        name="stained glass",
        words=r"stained[- ]glass|mosaic tiles",
        chinese="彩色玻璃|彩绘玻璃",
        look=Look(saturation=0.25, contrast=0.10),
        effect="stained glass",
    ),
    Word(
        name="van gogh",
        words=r"van gogh|starry night|post-?impressionism",
        chinese="梵高|梵谷|星月夜",
        effect="van gogh",
    ),
    Word(
        name="impressionism",
        words=r"impressionism|impressionist|monet|renoir|pointillism|pastel drawing",
        chinese="印象派|莫奈|点彩",
        effect="impressionism",
    ),
    Word(
        name="cubism",
        words=r"cubism|cubist|picasso|expressionism|expressionist",
        chinese="立体派|立体主义|毕加索|表现主义",
        effect="cubism",
    ),
    Word(
        name="cartoon",
        words=r"cartoon|anime|manga|cel[- ]shad(?:ed|ing)|toon|ghibli|animated film",
        chinese="卡通|动漫|动画|二次元|吉卜力",
        look=Look(saturation=0.22, contrast=0.08),
        effect="cartoon",
    ),
    Word(
        name="painting",
        words=r"(?:oil )?paint(?:ing|ed|erly)|brush-?strokes?|on canvas|acrylic|fresco|baroque|renaissance",
        chinese="油画|绘画|画作|笔触|丙烯|壁画",
        effect="painting",
    ),
    Word(
        name="style of",
        words=r"(?:in )?(?:the )?style of|stylis(?:e|ed)|styliz(?:e|ed)|artistic",
        chinese="的风格|画风|艺术风格|风格化",
        effect="style of",
    ),
)
#: What only the filters of `effects` do: flat colours and lines are more stable that way.
FILTERED = ("cartoon",)


def art_of(look: Look) -> str:
    """The way to paint that a look asks for: the first of the table, "" for none; "style of" gives way to any other."""
    asked = {name for name, _ in look.effects}
    return next((word.effect for word in ARTS if word.effect in asked), "")
