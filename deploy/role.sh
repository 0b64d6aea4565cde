#!/bin/sh
# Makes portico's role on a server of the Compose file, when its folder is made:
# it may create databases and roles, and no more.
set -eu
psql -X -v ON_ERROR_STOP=1 -U postgres -d postgres -v password="$(cat "${PASSWORD_FILE:-/run/secrets/password}")" <<'SQL'
CREATE ROLE portico LOGIN CREATEDB CREATEROLE PASSWORD :'password';
SQL
