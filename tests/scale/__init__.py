"""A campaign on several machines, played on one: what docs/scale.md describes, with everything real but the provider."""
