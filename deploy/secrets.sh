#!/bin/sh
# Prints an .env for docker-compose.yml: fresh passwords, and the names to be edited. `sh deploy/secrets.sh > .env`
set -eu
umask 077
secret() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
cat <<ENV
PUBLIC_HOST=${PUBLIC_HOST:-id.example.com}
POSTGRES_PASSWORD=$(secret)
MIGRATOR_DB_PASSWORD=$(secret)
APP_DB_PASSWORD=$(secret)
OPS_DB_PASSWORD=$(secret)
BACKUP_DB_PASSWORD=$(secret)
APP_REDIS_PASSWORD=$(secret)
OPS_REDIS_PASSWORD=$(secret)
ENV
