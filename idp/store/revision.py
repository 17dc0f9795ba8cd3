"""Which revision of the schema this code needs and the database has; told without loading Alembic.

Loading it takes a fifth of a second of every process, and only a migration needs it.
"""

import re
from functools import cache

from idp import paths
from idp.store.database import outside

_MARK = re.compile(r"compatible_from=(\w+)")


@cache
def head() -> str:
    """The revision that this code needs: that of the newest migration, whose file begins with it."""
    return max(path.name.partition("_")[0] for path in (paths.migrations() / "versions").glob("[0-9]*.py"))


def present() -> str | None:
    """The revision that the database has, read as the runtime role. Raises Unavailable."""
    with outside() as connection:
        if connection.exec_driver_sql("SELECT to_regclass('public.alembic_version')").scalar() is None:
            return None
        revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return None if revision is None else str(revision)


def compatible_from() -> str | None:
    """The oldest revision whose code works on the schema that is there; None where it is not marked.

    The mark is the comment of `alembic_version`, which the migrations keep. Raises Unavailable.
    """
    with outside() as connection:
        comment = connection.exec_driver_sql(
            "SELECT obj_description(to_regclass('public.alembic_version'), 'pg_class')"
        ).scalar()
    found = _MARK.fullmatch(str(comment or ""))
    return found[1] if found else None
