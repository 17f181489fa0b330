-- Work that is begun at once and soon ends is not in the table of work: events
-- above the mark say what of it began and ended, and it is written when somebody
-- asks. An event is above all there were.
ALTER TABLE events ADD COLUMN live TEXT NOT NULL DEFAULT ''; -- JSON, or ''
ALTER TABLE store  ADD COLUMN settled INTEGER NOT NULL DEFAULT 0; -- the mark, a row of events
UPDATE store SET settled = (SELECT coalesce(max(row), 0) FROM events);

-- Two indexes serve all lists by machine, status and time: one for all machines
-- and one for each. Each index less is two pages less in most commits.
DROP INDEX executions_status;
DROP INDEX executions_machine;
DROP INDEX executions_machine_status;
DROP INDEX executions_started;
DROP INDEX executions_machine_started;
