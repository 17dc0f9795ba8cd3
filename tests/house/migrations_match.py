"""What the migrations make, compared with the models, in a Postgres of its own that is thrown away."""

import secrets
import sys
import tempfile
from pathlib import Path

from idp.config import Settings
from idp.embedded import postgres
from idp.store import migrate, roles


def differences() -> list[object]:
    """What a freshly migrated database has otherwise than the models; empty when they agree."""
    passwords = {role: secrets.token_hex(16) for role in roles.LOGINS}
    superuser = secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        server = postgres.Postgres(home / "postgres", password=superuser, log=home / "log", durable=False)
        server.make()
        server.start()
        try:
            server.wait()
            roles.create(postgres.url(server.port, postgres.SUPERUSER, superuser, "postgres"), passwords)
            settings = Settings.load(
                {
                    "IDP_ENV": "development",
                    "IDP_DATABASE_URL": postgres.url(server.port, "idp_app", passwords["idp_app"]),
                    "IDP_MIGRATOR_DATABASE_URL": postgres.url(
                        server.port, "idp_migrator", passwords["idp_migrator"]
                    ),
                }
            )
            migrate.upgrade(settings, [("check", secrets.token_bytes(32))])
            return migrate.differences(settings)
        finally:
            server.stop()


def main() -> int:
    """Exit status: 0 when migrations and models agree."""
    found = differences()
    print("\n".join(map(str, found)) or "migrations and models agree")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
