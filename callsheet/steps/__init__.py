"""The order of work: each module is one step of a variant's walk, safe to do twice. Flows and commands call these."""
