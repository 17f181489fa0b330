package web

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"inspector"
)

func (b *backend) Models(context.Context) ([]Model, []ModelChange, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := Model{Name: "pcb", Versions: []string{"1.0.0", "1.1.0"}, Production: "1.0.0"}
	for _, c := range b.changes {
		if c.Alias == "production" {
			m.Production = c.To
		}
	}
	changes := slices.Clone(b.changes)
	slices.Reverse(changes)
	return []Model{m}, changes, nil
}

func (b *backend) ChangeModel(ctx context.Context, c ModelChange) (ModelChange, error) {
	models, _, _ := b.Models(ctx)
	if c.Model != "pcb" {
		return c, fmt.Errorf("%w: no model %q", ErrNotFound, c.Model)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.Rollback {
		c.To = "1.0.0"
	}
	switch c.From, c.At = models[0].Production, time.Now(); {
	case c.Alias == "production" && c.To == c.From:
		return c, fmt.Errorf("%w: %s is in production", ErrConflict, c.To)
	case !slices.Contains(models[0].Versions, c.To):
		return c, fmt.Errorf("%w: %s does not reproduce its vectors", ErrRefused, c.To)
	}
	b.changes = append(b.changes, c)
	return c, nil
}

func (b *backend) Disagreements(_ context.Context, limit int) ([]Disagreement, error) {
	return slices.Repeat([]Disagreement{{ID: "aoi_1-5eed0001-1", At: time.Now(), Recipe: "bare-board", Production: Opinion{Verdict: inspector.Pass},
		Shadow: Opinion{Verdict: inspector.Fail, Defects: []inspector.Defect{{Class: "open", Score: .7}}}}}, min(limit, 2)), nil
}

func (b *backend) DisagreementPicture(_ context.Context, id string) ([]byte, error) {
	if !strings.HasPrefix(id, "aoi_1-") {
		return nil, fmt.Errorf("%w: disagreement %q", ErrNotFound, id)
	}
	return []byte("\xff\xd8 a picture"), nil
}

// A change of the model takes whatever changing anything takes.
func TestChangeOfTheModelIsGuarded(t *testing.T) {
	s := start(t, nil)
	order := `{"version":"1.1.0","by":"Eve"}`
	if code, _, body := s.ask(t, http.MethodPost, "/api/v1/models/pcb/promote", order, "Content-Type", "application/json", "Origin", "https://evil.example"); code != http.StatusForbidden {
		t.Errorf("across origins: %d %s", code, body)
	}
	if code, _, body := s.ask(t, http.MethodPost, "/api/v1/models/pcb/promote", order, "Content-Type", "text/plain"); code != http.StatusUnsupportedMediaType {
		t.Errorf("as a form would: %d %s", code, body)
	}
	if len(s.changes) != 0 {
		t.Errorf("changed: %+v", s.changes)
	}
	if code, _, body := s.ask(t, http.MethodPost, "/api/v1/models/pcb/delete", order, "Content-Type", "application/json"); code != http.StatusNotFound {
		t.Errorf("another action: %d %s", code, body)
	}
}

func FuzzParseChange(f *testing.F) {
	f.Add("promote", `{"version":"1.1.0","by":"Ana","reason":"x"}`)
	f.Add("rollback", `{"by":"Ana"}`)
	f.Fuzz(func(t *testing.T, action, body string) {
		c, err := parseChange("pcb", action, strings.NewReader(body))
		if err == nil && (c.By == "" || c.Alias != "production" && c.Alias != "shadow" || c.Alias == "production" && !c.Rollback && c.To == "" || len(c.Reason) > maxNote) {
			t.Errorf("%s %q is %+v", action, body, c)
		}
	})
}
