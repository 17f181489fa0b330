package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"time"

	"inspector"
)

// An Entry of the audit trail says who did what to which subject. Nobody can
// change or remove it.
type Entry struct {
	At      time.Time       `json:"at"`
	Who     string          `json:"who"`
	What    string          `json:"what"`    // a verb: dispose, activate-model, abort
	Subject string          `json:"subject"` // an ID, a name
	Detail  json.RawMessage `json:"detail"`  // whatever explains it; null if nothing does
}

// Audit adds an entry to the trail.
func (s *Store) Audit(ctx context.Context, e Entry) error {
	err := s.write(ctx, func(ctx context.Context, w *writer) error { return w.audit(ctx, e) })
	return wrap(err, "audit %s of %s by %s", e.What, e.Subject, e.Who)
}

func (w *writer) audit(ctx context.Context, e Entry) error {
	if e.Who == "" || e.What == "" {
		return refusal("an audit entry names who did what")
	}
	detail, err := text(e.Detail) // null without one
	if err != nil {
		return err
	}
	_, err = w.exec(ctx, `INSERT INTO audit (at, who, what, subject, detail) VALUES (?, ?, ?, ?, ?)`, nanos(e.At), e.Who, e.What, e.Subject, detail)
	return err
}

// Trail gives at most limit entries about the subject, or about everything if
// it is empty, the newest first.
func (s *Store) Trail(ctx context.Context, subject string, n int) ([]Entry, error) {
	all, err := query(ctx, s.readers, func(rows *sql.Rows) (e Entry, err error) {
		var at int64
		err = rows.Scan(&at, &e.Who, &e.What, &e.Subject, (*[]byte)(&e.Detail))
		e.At = instant(at)
		return e, err
	}, `SELECT at, who, what, subject, detail FROM audit WHERE ?1 = '' OR subject = ?1 ORDER BY row DESC LIMIT ?2`, subject, limit(n))
	return all, wrap(err, "read the audit trail")
}

// Dispose records a person's decision about a board that did not pass, and
// audits it. A second decision is refused with ErrDecided.
func (s *Store) Dispose(ctx context.Context, id string, d inspector.Disposition) error {
	err := s.dispose(ctx, id, d)
	return wrap(err, "dispose of inspection %s", id)
}

func (s *Store) dispose(ctx context.Context, id string, d inspector.Disposition) error {
	if !slices.Contains([]string{"scrap", "rework", "release"}, d.Decision) {
		return refusal(fmt.Sprintf("decision %.100q: want scrap, rework or release", d.Decision))
	}
	if d.By == "" {
		return refusal("a decision names who made it")
	}
	r, err := s.Inspection(ctx, id)
	if err != nil {
		return err
	}
	if r.Verdict == inspector.Pass {
		return refusal("it passed: there is nothing to decide")
	}
	data, err := text(d)
	if err != nil {
		return err
	}
	return s.write(ctx, func(ctx context.Context, w *writer) error {
		n, err := w.exec(ctx, `UPDATE inspections SET disposition = ? WHERE row = ? AND disposition IS NULL`, data, r.Row)
		if err == nil && n == 0 {
			err = ErrDecided
		}
		if err != nil {
			return err
		}
		return w.audit(ctx, Entry{At: d.At, Who: d.By, What: "dispose", Subject: id, Detail: json.RawMessage(data)})
	})
}

// Quarantine keeps a copy of the inspection's image in the folder quarantine
// of the data directory, under the inspection's ID, and marks the inspection.
// Without an image only the mark is made. Again is harmless.
func (s *Store) Quarantine(ctx context.Context, id string) error {
	err := s.quarantine(ctx, id)
	return wrap(full(err), "quarantine inspection %s", id)
}

func (s *Store) quarantine(ctx context.Context, id string) error {
	r, err := s.Inspection(ctx, id)
	if err != nil || r.Quarantined {
		return err
	}
	if image, ok := imageOf(r); ok {
		data, err := s.blobs.root.ReadFile(file(image))
		if err != nil {
			return err
		}
		if err := s.blobs.put(content{quarantined(r, image), data}); err != nil {
			return err
		}
	}
	return s.write(ctx, func(ctx context.Context, w *writer) error {
		_, err := w.exec(ctx, `UPDATE inspections SET quarantined = 1 WHERE row = ?`, r.Row)
		return err
	})
}

func imageOf(r Record) (inspector.Blob, bool) {
	i := slices.IndexFunc(r.Evidence, func(b inspector.Blob) bool { return b.Kind == "image" })
	if i < 0 {
		return inspector.Blob{}, false
	}
	return r.Evidence[i], true
}

func quarantined(r Record, image inspector.Blob) string {
	return "quarantine/" + r.ID + path.Ext(image.Path)
}

// Closed marks the inspection as done with: retention may take its evidence
// once its execution ends. Again is harmless.
func (s *Store) Closed(ctx context.Context, id string) error {
	row, err := s.row(id)
	if err != nil {
		return err
	}
	err = s.write(ctx, func(ctx context.Context, w *writer) error {
		n, err := w.exec(ctx, `UPDATE inspections SET closed = 1 WHERE row = ? AND verdict IS NOT NULL`, row)
		if err == nil && n == 0 {
			err = ErrNotFound
		}
		return err
	})
	return wrap(err, "close inspection %s", id)
}
