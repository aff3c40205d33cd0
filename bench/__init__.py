"""How fast Callsheet is, as ratios in one run: against a floor or a peer on the same machine at the same moment."""
