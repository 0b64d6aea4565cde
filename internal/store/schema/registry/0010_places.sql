-- Where accounts came in from lately: a MAC of address and network, so that the
-- row says neither. Who comes from there has limits of its own.
CREATE TABLE places (
    place      TEXT PRIMARY KEY,
    account_id TEXT NOT NULL,
    seen_at    BIGINT NOT NULL
);
CREATE INDEX places_account ON places (account_id, seen_at);
CREATE INDEX places_age ON places (seen_at);
