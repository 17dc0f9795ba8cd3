"""A real Postgres and a real Redis in a folder, and the processes that use them.

Owns: finding the servers' binaries, making a data folder, starting, recovering and stopping the
servers, the lock on the folder, the remembered ports and passwords, and the supervisor that
`idp up` is. Leaves to others: roles and schema (`idp.store`), what the servers hold, and every
decision about who may use it (production never comes here).
"""


class NotPossible(Exception):
    """The local deployment cannot do what was asked; the text is one sentence for a person."""
