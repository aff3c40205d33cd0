"""`callsheet schema`: the JSON Schema of campaigns, for editors; specs/campaign.schema.json is this output."""

import json

from callsheet.campaign_schema import json_schema
from callsheet.cli import console


def schema() -> None:
    """Print the JSON Schema of a campaign."""
    console.raw(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n")
