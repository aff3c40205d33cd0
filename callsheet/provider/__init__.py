"""The paid API: wire documents, client, staging of inputs, the watch over many jobs at once."""
