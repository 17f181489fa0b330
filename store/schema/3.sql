-- Who did what, when: nobody edits it.
CREATE TABLE audit (
  row         INTEGER PRIMARY KEY AUTOINCREMENT,
  at          INTEGER NOT NULL,  -- unix nanoseconds
  who         TEXT NOT NULL,
  what        TEXT NOT NULL,
  subject     TEXT NOT NULL,
  detail      TEXT NOT NULL      -- JSON
) STRICT;
CREATE INDEX audit_subject ON audit (subject, row);

CREATE TRIGGER audit_fixed BEFORE UPDATE ON audit BEGIN
  SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
CREATE TRIGGER audit_kept BEFORE DELETE ON audit BEGIN
  SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
