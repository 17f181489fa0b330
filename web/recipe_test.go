package web

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func (b *backend) Recipes(context.Context) (InForce, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := InForce{Recipe: "bare-board", Configured: "bare-board", Recipes: []Recipe{{"bare-board", "pcb/1.0.0@3f5a", ""}, {"mainboard", "pcb/1.0.0@3f5a", "MB-.*"}}}
	if n := len(b.chosen); n > 0 {
		now.Recipe, now.Changes = b.chosen[n-1].To, slices.Clone(b.chosen)
		slices.Reverse(now.Changes)
	}
	return now, nil
}

func (b *backend) UseRecipe(ctx context.Context, c RecipeChange) (RecipeChange, error) {
	now, _ := b.Recipes(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch c.From, c.At = now.Recipe, time.Now(); {
	case c.To == c.From:
		return c, fmt.Errorf("%w: %s is in force", ErrUnchanged, c.To)
	case !slices.ContainsFunc(now.Recipes, func(r Recipe) bool { return r.Name == c.To }):
		return c, fmt.Errorf("%w: there is no recipe %q", ErrNotFound, c.To)
	}
	b.chosen = append(b.chosen, c)
	return c, nil
}

// A change of the recipe takes whatever changing anything takes.
func TestChangeOfTheRecipeIsGuarded(t *testing.T) {
	s := start(t, nil)
	order := `{"recipe":"mainboard","by":"Eve"}`
	for _, c := range []struct {
		what    string
		headers []string
		want    int
	}{
		{"across origins", []string{"Content-Type", "application/json", "Origin", "https://evil.example"}, http.StatusForbidden},
		{"as a form would", []string{"Content-Type", "text/plain"}, http.StatusUnsupportedMediaType},
		{"behind a proxy", []string{"Content-Type", "application/json", "X-Forwarded-For", "10.0.0.9"}, http.StatusForbidden},
	} {
		if code, _, body := s.ask(t, http.MethodPut, "/api/v1/recipe", order, c.headers...); code != c.want {
			t.Errorf("%s: %d %s; want %d", c.what, code, body, c.want)
		}
	}
	if len(s.chosen) != 0 {
		t.Errorf("changed: %+v", s.chosen)
	}
}

func FuzzParseRecipeChange(f *testing.F) {
	f.Add(`{"recipe":"mainboard","by":"Ana","reason":"next order"}`)
	f.Add(`{"recipe":"","by":"\u0007"}`)
	f.Fuzz(func(t *testing.T, body string) {
		c, err := parseRecipeChange(strings.NewReader(body))
		if err == nil && (c.By == "" || c.To == "" || len(c.To) > maxName || len(c.Reason) > maxNote) {
			t.Errorf("%q is %+v", body, c)
		}
	})
}
