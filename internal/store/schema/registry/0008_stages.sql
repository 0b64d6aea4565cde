-- How a portal came to be active: its stages with their times, as JSON. Empty
-- where that is not known.
ALTER TABLE portals ADD COLUMN stages TEXT NOT NULL DEFAULT '';
