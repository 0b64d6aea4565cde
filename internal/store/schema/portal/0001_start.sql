-- A portal's own database: a projection of the registry, rebuilt at any time.

-- One row: whose database this is. Every open compares it with the registry.
-- writes grows with each projection: raising it first is what makes
-- projections of one portal run one after the other.
CREATE TABLE identity (
    portal_id      TEXT PRIMARY KEY,
    generation     BIGINT NOT NULL,
    epoch          TEXT NOT NULL,
    schema_version BIGINT NOT NULL,
    writes         BIGINT NOT NULL
);

CREATE TABLE users (
    user_id     TEXT PRIMARY KEY,
    email       TEXT NOT NULL,
    first_name  TEXT NOT NULL,
    last_name   TEXT NOT NULL,
    search      TEXT NOT NULL,
    status      TEXT NOT NULL,
    expires_at  BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    created_by  TEXT NOT NULL,
    modified_at BIGINT NOT NULL,
    modified_by TEXT NOT NULL
);
CREATE INDEX users_order ON users (created_at, user_id);

CREATE TABLE memberships (
    user_id  TEXT PRIMARY KEY,
    role     TEXT NOT NULL,
    document TEXT NOT NULL
);

CREATE TABLE settings (
    user_id TEXT NOT NULL,
    name    TEXT NOT NULL,
    value   TEXT NOT NULL,
    PRIMARY KEY (user_id, name)
);
