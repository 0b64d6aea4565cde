-- Servers that hold portals' databases: on PostgreSQL only. sealed_url is empty
-- for the registry's own server; server_id is what a server calls itself.
CREATE TABLE clusters (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    state      TEXT NOT NULL,
    cap        BIGINT NOT NULL,
    sealed_url TEXT NOT NULL,
    server_id  TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

-- Where a portal's database is, and nothing else says it. Empty on SQLite.
ALTER TABLE portals ADD COLUMN cluster_id TEXT NOT NULL DEFAULT '';
CREATE INDEX portals_cluster ON portals (cluster_id);

-- Where the database was that was given up.
ALTER TABLE tombstones ADD COLUMN cluster_id TEXT NOT NULL DEFAULT '';
