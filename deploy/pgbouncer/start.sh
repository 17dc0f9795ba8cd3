#!/bin/sh
# Writes the list of users from the environment into memory, then becomes pgbouncer.
set -eu
umask 077
printf '"idp_app" "%s"\n"idp_ops" "%s"\n' "${APP_DB_PASSWORD:?run deploy/secrets.sh first}" \
    "${OPS_DB_PASSWORD:?run deploy/secrets.sh first}" > /tmp/userlist.txt
exec pgbouncer /etc/idp/pgbouncer.ini
