"""The ledger: which takes exist, in which state, and what they hold and cost. It decides; Prefect does not."""
