"""Two streams as one, by a blend of their light."""

from typing import Any

import ffmpeg


def blend(below: Any, above: Any, mode: str, opacity: float = 1.0, **options: Any) -> Any:
    """Both in RGB: a screen in YUV turns everything pink (measured)."""
    rgb = above.filter("format", "gbrp")
    return ffmpeg.filter([below, rgb], "blend", all_mode=mode, all_opacity=round(min(opacity, 1.0), 3), **options)
