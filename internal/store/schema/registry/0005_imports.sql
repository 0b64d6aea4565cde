-- Lists of recipients that administrators gave to the console, to be invited in
-- parts. counts is a JSON object of verdicts; a part's content is a JSON array
-- of its rows. Both leave with their portal, or when they were not touched for
-- a while.
CREATE TABLE imports (
    id              TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL,
    portal_id       TEXT NOT NULL,
    created_by      TEXT NOT NULL,
    state           TEXT NOT NULL,
    message         TEXT NOT NULL,
    send_email      BIGINT NOT NULL,
    row_count       BIGINT NOT NULL,
    parts           BIGINT NOT NULL,
    next_part       BIGINT NOT NULL,
    counts          TEXT NOT NULL,
    suggestions     BIGINT NOT NULL,
    problem         TEXT NOT NULL,
    created_at      BIGINT NOT NULL,
    modified_at     BIGINT NOT NULL
);
CREATE INDEX imports_portal ON imports (portal_id, id);
CREATE INDEX imports_age ON imports (modified_at);

CREATE TABLE import_parts (
    import_id TEXT NOT NULL,
    part      BIGINT NOT NULL,
    content   TEXT NOT NULL,
    PRIMARY KEY (import_id, part)
);
