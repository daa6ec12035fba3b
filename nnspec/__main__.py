"""`python -m nnspec` is the command `nnspec`."""

from nnspec.cli import main

main()
