-- Invitations to organizations that are no portals: portal_id is the
-- organization that an invitation is to, whatever its kind, and role what its
-- account becomes there.
ALTER TABLE invitations ADD COLUMN role TEXT NOT NULL DEFAULT 'guest';
