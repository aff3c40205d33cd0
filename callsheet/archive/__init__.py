"""Where deliverables are kept. Nothing in an archive is ever replaced, except the manifest and the review pages."""
