#!/bin/sh
# Two users: the runtime, which sees only keys of the provider, and the operators' commands. The default user is off.
set -eu
umask 077
cat > /tmp/users.acl <<ACL
user default off
user idp_app on >${APP_REDIS_PASSWORD:?run deploy/secrets.sh first} ~idp:* &idp:* +@read +@write +@connection +@transaction +@scripting +time -@admin -@dangerous +info -keys -script|flush -script|kill -function
user idp_operator on >${OPS_REDIS_PASSWORD:?run deploy/secrets.sh first} ~* &* +@all
ACL
# noeviction: sessions and replay marks are never thrown away in silence.
exec valkey-server --port 6379 --aclfile /tmp/users.acl --dir /data --appendonly yes --appendfsync everysec \
    --save "" --maxmemory "${REDIS_MAXMEMORY:-512mb}" --maxmemory-policy noeviction
