-- Mail that is sent, and invitations that are listed.

-- host is the recipient's mail domain: with the organization it names the queue
-- that the mail waits in. challenge_id is what a code or a reset link is made
-- of; expires_at is when such a mail is of no use any more, 0 where the
-- invitation says it. detail is why the mail is in its state.
ALTER TABLE outbox ADD COLUMN host TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN challenge_id TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN expires_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN lease_until BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN fence BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN detail TEXT NOT NULL DEFAULT '';
DROP INDEX outbox_once;
CREATE UNIQUE INDEX outbox_once ON outbox (invitation_id, generation, template, challenge_id);
CREATE INDEX outbox_queue ON outbox (organization_id, host, id) WHERE state = 'waiting';

-- What an address was sent within the last day. An entry outlives its mail,
-- and the account, so that no way around the limits leads over a removal.
CREATE TABLE sent_mails (
    mail_id   TEXT PRIMARY KEY,
    email_key TEXT NOT NULL,
    solicited BIGINT NOT NULL,
    sent_at   BIGINT NOT NULL
);
CREATE INDEX sent_mails_address ON sent_mails (email_key, solicited, sent_at);
CREATE INDEX sent_mails_age ON sent_mails (sent_at);

ALTER TABLE invitations ADD COLUMN search TEXT NOT NULL DEFAULT '';
CREATE INDEX invitations_order ON invitations (portal_id, created_at, id);
