package store

import (
	"context"
	"encoding/json"

	"inspector"
)

// Acknowledge records that somebody has seen a board that did not pass, and
// audits it. The first one stays: again, by whomever, is harmless and gives
// the record as it is. It decides nothing.
func (s *Store) Acknowledge(ctx context.Context, id string, a inspector.Acknowledgement) (Record, error) {
	r, err := s.acknowledge(ctx, id, a)
	return r, wrap(err, "acknowledge inspection %s", id)
}

func (s *Store) acknowledge(ctx context.Context, id string, a inspector.Acknowledgement) (Record, error) {
	if a.By == "" {
		return Record{}, refusal("an acknowledgement names who has seen the board")
	}
	r, err := s.Inspection(ctx, id)
	switch {
	case err != nil || r.Acknowledged != nil:
		return r, err
	case r.Verdict == inspector.Pass:
		return r, ErrPassed
	}
	data, err := text(a)
	if err != nil {
		return r, err
	}
	err = s.write(ctx, func(ctx context.Context, w *writer) error {
		n, err := w.exec(ctx, `UPDATE inspections SET acknowledged = ? WHERE row = ? AND acknowledged IS NULL`, data, r.Row)
		if err != nil || n == 0 { // somebody was faster
			return err
		}
		return w.audit(ctx, Entry{At: a.At, Who: a.By, What: "acknowledge", Subject: id, Detail: json.RawMessage(data)})
	})
	if err != nil {
		return r, err
	}
	return s.Inspection(ctx, id)
}
