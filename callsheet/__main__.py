"""`python -m callsheet` is the command line."""

from callsheet.cli.main import main

main()
