-- That a person has seen a board which did not pass.
ALTER TABLE inspections ADD COLUMN acknowledged TEXT; -- JSON
