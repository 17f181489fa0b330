package web

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// Whatever keeps a trigger from its verdict, the answer tells the line not to
// let the board pass.
func TestUnjudgedIsUnsure(t *testing.T) {
	s := start(t, nil)
	for _, body := range []string{`{"request":"1"}`, `{"request":7}`, `no JSON`} {
		code, _, answer := s.ask(t, "POST", "/api/v1/triggers", body, "Content-Type", "application/json")
		var p struct {
			Verdict string
			Reject  bool
		}
		if err := json.Unmarshal([]byte(answer), &p); err != nil || code < 400 {
			t.Fatalf("%s: %d %s", body, code, answer)
		}
		if p.Verdict != "unsure" || !p.Reject || strings.Contains(body, `"1"`) && code != http.StatusServiceUnavailable {
			t.Errorf("%s: %d %s", body, code, answer)
		}
	}
	if p := diagnose(ErrNoRoom); p.Status != http.StatusServiceUnavailable || !strings.Contains(p.Remedy, "space") {
		t.Errorf("%+v", p)
	}
}
