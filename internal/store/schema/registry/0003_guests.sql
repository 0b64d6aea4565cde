-- What guests come in by.

-- The session at the sign-in host that a portal's session began with; empty
-- for all others. Signing out in one portal ends both, and the others' too.
ALTER TABLE sessions ADD COLUMN parent_id TEXT NOT NULL DEFAULT '';
CREATE INDEX sessions_parent ON sessions (parent_id) WHERE parent_id <> '';

-- Proofs of a mailbox that are under way: a mailed code, or the link that sets
-- a new password. Neither is stored: both are functions of the id and the
-- installation's secret. A row without an account is for an address that
-- nobody has, so that asking does the same work for every address.
CREATE TABLE challenges (
    id            TEXT PRIMARY KEY,
    kind          TEXT NOT NULL,
    account_id    TEXT NOT NULL,
    browser       TEXT NOT NULL,
    portal_id     TEXT NOT NULL,
    invitation_id TEXT NOT NULL,
    generation    BIGINT NOT NULL,
    attempts      BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL
);
CREATE INDEX challenges_account ON challenges (account_id);
CREATE INDEX challenges_age ON challenges (expires_at);

-- Codes by which a portal's host gets a session from the sign-in host: stored
-- as a hash, for one portal and one browser, used once.
CREATE TABLE entries (
    hash       TEXT PRIMARY KEY,
    portal_id  TEXT NOT NULL,
    session_id TEXT NOT NULL,
    browser    TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX entries_age ON entries (expires_at);
CREATE INDEX entries_session ON entries (session_id);
