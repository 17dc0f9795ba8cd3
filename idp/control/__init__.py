"""Operators' verbs: a command in, a result out, one audit event each.

Owns what may be made, changed and ended, in which order and in whose name; blueprints, commands and, later,
the console call the same functions. Leaves the shape of client metadata to `idp.registration`, the rows to
the vault, words and exit codes to the doors.
"""
