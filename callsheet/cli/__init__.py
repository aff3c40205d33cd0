"""The commands: one module each. `console` is the only writer to the terminal."""
