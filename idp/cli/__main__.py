"""`python -m idp.cli`: what the supervisor starts, independent of where the console script lies."""

from idp.cli import main

main()
