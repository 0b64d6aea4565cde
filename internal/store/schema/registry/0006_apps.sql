-- How a portal's own app signs in to its database: the password, sealed.
CREATE TABLE app_access (
    portal_id  TEXT PRIMARY KEY,
    sealed     TEXT NOT NULL,
    rotated_at BIGINT NOT NULL
);

-- The steps of the app's schema that some portal has taken, by their hashes:
-- a file that was applied must stay as it was.
CREATE TABLE app_steps (
    version    BIGINT PRIMARY KEY,
    name       TEXT NOT NULL,
    hash       TEXT NOT NULL,
    applied_at BIGINT NOT NULL
);

-- The schema versions of a portal's database, ours and the app's, when it was
-- last looked at, and how often the last move to a newer one has failed. Of
-- another generation than the portal's it says nothing.
CREATE TABLE portal_schemas (
    portal_id   TEXT PRIMARY KEY,
    generation  BIGINT NOT NULL,
    version     BIGINT NOT NULL,
    app_version BIGINT NOT NULL,
    attempts    BIGINT NOT NULL,
    error       TEXT NOT NULL,
    updated_at  BIGINT NOT NULL
);
