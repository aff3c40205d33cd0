"""The local provider: EvoLink's documented HTTP API on loopback, with its own book and an engine that edits real pixels.

Nothing in here is imported by the provider client, nor the other way round: the two meet over HTTP only.
"""
