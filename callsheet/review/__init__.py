"""What a reviewer opens in a browser: pages that work from a disk, without a server and without a network."""
