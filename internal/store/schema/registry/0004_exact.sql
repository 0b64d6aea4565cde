-- Grows with each change of what an update may change, so that of two changes
-- at once the second is made to what the first left.
ALTER TABLE portals ADD COLUMN version BIGINT NOT NULL DEFAULT 0;

-- Guests who were removed by a call that was not answered 200 yet: a repeat of
-- it is told of its success, whoever finished the work.
CREATE TABLE removals (
    portal_id  TEXT NOT NULL,
    account_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (portal_id, account_id)
);
CREATE INDEX removals_age ON removals (created_at);
