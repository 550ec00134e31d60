"""`python -m vlmd` is `vlmd`."""

from vlmd.cli import main

main()
