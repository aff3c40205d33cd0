"""`callsheet schema`: the JSON Schema of campaigns, for editors, and of the documents in an archive, for who reads them.

specs/campaign.schema.json and docs/schemas/ are this output.
"""

import json
from typing import Annotated

import typer

from callsheet.cli import console, options
from callsheet.errors import SpecError
from callsheet.nearest import did_you_mean, listed


def schema(
    of: Annotated[
        str, typer.Option("--of", metavar="DOCUMENT", help="campaign, sidecar, stray, manifest or verdicts.")
    ] = "campaign",
    _json: options.Json = False,
) -> None:
    """Print the JSON Schema of a campaign, or of another document."""
    from callsheet.document_schema import SCHEMAS

    if of not in SCHEMAS:
        what = f"--of: there is no document `{of}`{did_you_mean(of, SCHEMAS) or '.'}"
        raise SpecError(what, hint=f"It is {listed(list(SCHEMAS), last='or')}.")
    console.raw(json.dumps(SCHEMAS[of](), indent=2, ensure_ascii=False) + "\n")
