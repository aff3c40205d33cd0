"""Callsheet: a YAML campaign in, an archive of finished video edits out. The map is docs/architecture.md."""

__version__ = "0.1.0"
