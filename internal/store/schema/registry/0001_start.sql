-- The registry. One text for both engines: TEXT, BIGINT and nothing else.
-- Times are microseconds since 1970, UTC. Booleans are 0 or 1.
-- No foreign key cascades: a row that names something outside the registry
-- (a database, a mail, a certificate) leaves only after that thing did.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE organizations (
    id         TEXT PRIMARY KEY,
    kind       TEXT NOT NULL,
    parent_id  TEXT NOT NULL,
    name       TEXT NOT NULL,
    suspended  BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX organizations_children ON organizations (parent_id, created_at, id);

CREATE TABLE accounts (
    id                   TEXT PRIMARY KEY,
    email                TEXT NOT NULL,
    email_key            TEXT NOT NULL UNIQUE,
    name                 TEXT NOT NULL,
    proven               BIGINT NOT NULL,
    created_at           BIGINT NOT NULL,
    last_organization_id TEXT NOT NULL
);

CREATE TABLE credentials (
    id          TEXT PRIMARY KEY,
    account_id  TEXT NOT NULL,
    kind        TEXT NOT NULL,
    issuer      TEXT NOT NULL,
    subject     TEXT NOT NULL,
    secret_hash TEXT NOT NULL,
    created_at  BIGINT NOT NULL
);
CREATE UNIQUE INDEX credentials_account ON credentials (account_id, kind, issuer, subject);

CREATE TABLE memberships (
    organization_id TEXT NOT NULL,
    account_id      TEXT NOT NULL,
    role            TEXT NOT NULL,
    first_name      TEXT NOT NULL,
    last_name       TEXT NOT NULL,
    created_at      BIGINT NOT NULL,
    created_by      TEXT NOT NULL,
    modified_at     BIGINT NOT NULL,
    modified_by     TEXT NOT NULL,
    PRIMARY KEY (organization_id, account_id)
);
CREATE INDEX memberships_account ON memberships (account_id);

-- A portal's name, parent and creation time are its organization's.
CREATE TABLE portals (
    id                 TEXT PRIMARY KEY,
    api_name           TEXT NOT NULL UNIQUE,
    description        TEXT,
    custom_domain      TEXT,
    domain_status      TEXT NOT NULL,
    domain_verified_at BIGINT,
    state              TEXT NOT NULL,
    generation         BIGINT NOT NULL,
    attempts           BIGINT NOT NULL,
    last_error         TEXT NOT NULL,
    lease_until        BIGINT NOT NULL,
    fence              BIGINT NOT NULL,
    request_id         TEXT NOT NULL,
    search             TEXT NOT NULL,
    created_by         TEXT NOT NULL,
    modified_at        BIGINT NOT NULL,
    modified_by        TEXT NOT NULL
);
CREATE INDEX portals_unsettled ON portals (state) WHERE state <> 'active';
CREATE UNIQUE INDEX portals_verified_domain ON portals (custom_domain) WHERE domain_verified_at IS NOT NULL;
CREATE INDEX portals_domain ON portals (custom_domain) WHERE custom_domain IS NOT NULL;

-- Address labels that were ever given out; kept for ever.
CREATE TABLE api_names (
    api_name  TEXT PRIMARY KEY,
    portal_id TEXT NOT NULL
);

-- Verified domains that were given up, kept from other organizations a while.
CREATE TABLE released_domains (
    host            TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL,
    released_at     BIGINT NOT NULL
);

-- One row for each database that was given up, by its name; kept for ever.
CREATE TABLE tombstones (
    database_name   TEXT PRIMARY KEY,
    portal_id       TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    reason          TEXT NOT NULL,
    actor_id        TEXT NOT NULL,
    created_at      BIGINT NOT NULL,
    gone_at         BIGINT,
    evidence        TEXT NOT NULL
);
CREATE INDEX tombstones_open ON tombstones (database_name) WHERE gone_at IS NULL;

CREATE TABLE invitations (
    id          TEXT PRIMARY KEY,
    portal_id   TEXT NOT NULL,
    account_id  TEXT NOT NULL,
    state       TEXT NOT NULL,
    generation  BIGINT NOT NULL,
    first_name  TEXT NOT NULL,
    last_name   TEXT NOT NULL,
    message     TEXT NOT NULL,
    expires_at  BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    created_by  TEXT NOT NULL,
    modified_at BIGINT NOT NULL,
    modified_by TEXT NOT NULL
);
CREATE UNIQUE INDEX invitations_guest ON invitations (portal_id, account_id);
CREATE INDEX invitations_account ON invitations (account_id);

-- Mail that waits. Held while the job that held_by names exists.
-- It names template, data and invitation; never a link or a token.
CREATE TABLE outbox (
    id              TEXT PRIMARY KEY,
    template        TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    portal_id       TEXT NOT NULL,
    account_id      TEXT NOT NULL,
    invitation_id   TEXT NOT NULL,
    generation      BIGINT NOT NULL,
    inviter_id      TEXT NOT NULL,
    held_by         TEXT NOT NULL,
    state           TEXT NOT NULL,
    attempts        BIGINT NOT NULL,
    run_at          BIGINT NOT NULL,
    created_at      BIGINT NOT NULL
);
CREATE UNIQUE INDEX outbox_once ON outbox (invitation_id, generation, template);
CREATE INDEX outbox_portal ON outbox (portal_id, account_id);

CREATE TABLE jobs (
    id          TEXT PRIMARY KEY,
    kind        TEXT NOT NULL,
    portal_id   TEXT NOT NULL,
    payload     TEXT NOT NULL,
    run_at      BIGINT NOT NULL,
    attempts    BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    fence       BIGINT NOT NULL,
    last_error  TEXT NOT NULL,
    created_at  BIGINT NOT NULL
);
CREATE INDEX jobs_due ON jobs (run_at);
CREATE INDEX jobs_portal ON jobs (portal_id);

-- A signed-in account: one family of refresh tokens. No token is stored: one
-- is the MAC of the session's id and rotation.
CREATE TABLE sessions (
    id              TEXT PRIMARY KEY,
    account_id      TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    audience        TEXT NOT NULL,
    rotation        BIGINT NOT NULL,
    rotated_at      BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL
);
CREATE INDEX sessions_account ON sessions (account_id);
CREATE INDEX sessions_organization ON sessions (organization_id);

CREATE TABLE tokens (
    id              TEXT PRIMARY KEY,
    account_id      TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    name            TEXT NOT NULL,
    hash            TEXT NOT NULL UNIQUE,
    scopes          TEXT,
    created_at      BIGINT NOT NULL,
    expires_at      BIGINT,
    last_used_at    BIGINT
);
CREATE INDEX tokens_account ON tokens (account_id, organization_id);
CREATE INDEX tokens_organization ON tokens (organization_id);

CREATE TABLE events (
    id              TEXT PRIMARY KEY,
    at              BIGINT NOT NULL,
    organization_id TEXT NOT NULL,
    portal_id       TEXT NOT NULL,
    actor_id        TEXT NOT NULL,
    action          TEXT NOT NULL,
    subject_id      TEXT NOT NULL,
    request_id      TEXT NOT NULL,
    detail          TEXT NOT NULL
);
CREATE INDEX events_organization ON events (organization_id, id);

-- Answers to repeated writes. A row without a snapshot is in flight.
CREATE TABLE idempotency (
    organization_id TEXT NOT NULL,
    account_id      TEXT NOT NULL,
    name            TEXT NOT NULL,
    fingerprint     TEXT NOT NULL,
    snapshot        TEXT,
    portal_id       TEXT NOT NULL,
    created_at      BIGINT NOT NULL,
    PRIMARY KEY (organization_id, account_id, name)
);
CREATE INDEX idempotency_age ON idempotency (created_at);
CREATE INDEX idempotency_portal ON idempotency (portal_id) WHERE snapshot IS NULL;

-- Addresses that mail may not go to: the person or an operator asked for it.
CREATE TABLE blocked_addresses (
    email_key  TEXT PRIMARY KEY,
    reason     TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
