"""What an element is learnt from: the pictures or the clip that its `model_params` name. (kling-custom-element)"""

import json
from typing import Any

from callsheet.catalogue import Options
from callsheet.sandbox.refusal import invalid

IMAGES = "model_params.element_image_list"
VIDEOS = "model_params.element_video_list"
VOICE = "model_params.element_voice_id"
#: Pictures beside the frontal one (documented).
OTHERS = (1, 3)

Found = tuple[str, Any]


def links(options: Options) -> tuple[Found | None, tuple[Found, ...]]:
    """(field and URL of the clip, fields and URLs of the pictures). Refusal 400."""
    given = dict(options)
    if given["reference_type"] == "video_refer":
        return _video(given), ()
    if "element_voice_id" in given:
        raise invalid(VOICE, f"{VOICE} goes with reference_type video_refer only.")
    return None, _pictures(given)


def _video(given: dict[str, Any]) -> Found:
    videos = _object(given, "element_video_list", VIDEOS).get("refer_videos")
    if not isinstance(videos, list) or len(videos) != 1:
        raise invalid(VIDEOS, f"{VIDEOS}.refer_videos must hold exactly one URL.", min=1, max=1)
    return VIDEOS, _address(videos[0], "video_url")


def _pictures(given: dict[str, Any]) -> tuple[Found, ...]:
    lists = _object(given, "element_image_list", IMAGES)
    frontal, others = lists.get("frontal_image"), lists.get("refer_images")
    if not isinstance(frontal, str) or not frontal:
        raise invalid(IMAGES, f"{IMAGES}.frontal_image is required and must be one URL.")
    least, most = OTHERS
    if not isinstance(others, list) or not least <= len(others) <= most:
        raise invalid(IMAGES, f"{IMAGES}.refer_images must hold {least} to {most} URLs.", min=least, max=most)
    return tuple((IMAGES, url) for url in (frontal, *(_address(one, "image_url") for one in others)))


def _address(entry: Any, name: str) -> Any:
    """A URL, or an object that has it, as Kling's own documents write it."""
    return entry.get(name) if isinstance(entry, dict) else entry


def _object(given: dict[str, Any], name: str, field: str) -> dict[str, Any]:
    if name not in given:
        raise invalid(field, f"{field} is required for this reference_type.")
    value: dict[str, Any] = json.loads(given[name])
    return value
