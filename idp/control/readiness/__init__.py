"""One table of checks: what must hold before a deployment is changed, a server starts, a process takes traffic.

Owns the checks with their codes, reasons and fixes, and how they are run; `idp ready`, `/readyz`, `idp serve`
and the management listener all read this table. Leaves what is looked at to the vault and the workshops, and
who is told what to the doors.
"""
