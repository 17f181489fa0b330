package web

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"inspector"
)

// A Model is one model of the registry.
type Model struct {
	Name       string   `json:"name"`
	Versions   []string `json:"versions"` // oldest first
	Production string   `json:"production"`
	Shadow     string   `json:"shadow,omitempty"`
	Former     []string `json:"former"`            // were in production; a rollback brings back the first
	Refused    []string `json:"refused,omitempty"` // why who was to be in place is not
}

// A ModelChange lets an alias of a model stand for another version. An order
// says Model, Alias and To, or Rollback; the rest is the answer's.
type ModelChange struct {
	At       time.Time `json:"at"`
	By       string    `json:"by"`
	Model    string    `json:"model"`
	Alias    string    `json:"alias"` // production, shadow
	From     string    `json:"from,omitempty"`
	To       string    `json:"to,omitempty"` // empty: no shadow
	Rollback bool      `json:"rollback,omitempty"`
	Reason   string    `json:"reason"`
}

// An Opinion is what one model says of a board.
type Opinion struct {
	Model   string             `json:"model"`
	Runtime string             `json:"runtime"`
	Verdict inspector.Verdict  `json:"verdict"`
	Reason  string             `json:"reason"`
	Score   float32            `json:"score"`
	Defects []inspector.Defect `json:"defects"`
}

// A Disagreement is a board of which the shadow thinks otherwise.
type Disagreement struct {
	ID         string    `json:"id"` // of the inspection
	At         time.Time `json:"at"`
	Recipe     string    `json:"recipe"`
	Production Opinion   `json:"production"`
	Shadow     Opinion   `json:"shadow"`
}

// registry knows the models. A change that is refused leaves all as it was.
type registry interface {
	Models(ctx context.Context) ([]Model, []ModelChange, error) // changes newest first
	ChangeModel(ctx context.Context, c ModelChange) (ModelChange, error)
}

// shadows knows the boards of which the shadow thinks otherwise.
type shadows interface {
	Disagreements(ctx context.Context, limit int) ([]Disagreement, error) // newest first
	// DisagreementPicture gives a JPEG.
	DisagreementPicture(ctx context.Context, id string) ([]byte, error)
}

func (s *Server) getModels(c *gin.Context) {
	models, changes, err := s.opt.Registry.Models(c.Request.Context())
	for i, m := range models {
		models[i].Versions, models[i].Former = list(m.Versions), list(m.Former)
	}
	s.answer(c, gin.H{"models": list(models), "changes": list(changes)}, err)
}

// postChange has an alias stand for another version: promote or rollback.
func (s *Server) postChange(c *gin.Context) {
	body, err := s.order(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	order, err := parseChange(c.Param("name"), c.Param("action"), body)
	if err != nil {
		s.fail(c, err)
		return
	}
	done, err := s.opt.Registry.ChangeModel(c.Request.Context(), order)
	s.answer(c, done, err)
}

func (s *Server) getDisagreements(c *gin.Context) {
	limit, err := parseOnlyLimit(c.Request.URL.Query())
	if err != nil {
		s.fail(c, err)
		return
	}
	found, err := s.opt.Shadows.Disagreements(c.Request.Context(), limit)
	for i, d := range found {
		found[i].Production.Defects, found[i].Shadow.Defects = list(d.Production.Defects), list(d.Shadow.Defects)
	}
	s.answer(c, gin.H{"disagreements": list(found)}, err)
}

func (s *Server) getDisagreementPicture(c *gin.Context) {
	picture, err := s.opt.Shadows.DisagreementPicture(c.Request.Context(), c.Param("id"))
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Header("Cache-Control", "no-store") // a newer one may take its place
	c.Data(http.StatusOK, "image/jpeg", picture)
}

// parseOnlyLimit reads the parameters of a list.
func parseOnlyLimit(v url.Values) (int, error) {
	if err := only(v, "limit"); err != nil {
		return 0, err
	}
	return parseLimit(v.Get("limit"))
}

// parseChange reads the order to promote a version or to go back.
func parseChange(name, action string, r io.Reader) (ModelChange, error) {
	var in struct{ Version, Alias, By, Reason string }
	if err := decode(r, &in); errors.Is(err, io.EOF) {
		return ModelChange{}, wrong("send by and reason, and for promote the version", "the body is empty")
	} else if err != nil {
		return ModelChange{}, err
	}
	c := ModelChange{Model: name, Alias: in.Alias, To: in.Version, Rollback: action == "rollback", By: strings.TrimSpace(in.By), Reason: strings.TrimSpace(in.Reason)}
	if c.Alias == "" {
		c.Alias = "production"
	}
	switch {
	case action != "promote" && action != "rollback":
		return c, bad(http.StatusNotFound, "POST to promote or rollback", "a model has no %q", action)
	case c.Alias != "production" && c.Alias != "shadow":
		return c, wrong("use one of them, or leave it out", "alias: want production or shadow, have %q", c.Alias)
	case c.Rollback && (c.To != "" || c.Alias != "production"):
		return c, wrong("leave version and alias out, or promote it", "a rollback goes to the version that was in production before")
	case !c.Rollback && c.To == "" && c.Alias == "production":
		return c, wrong("give the version", "version: something must be in production")
	case c.By == "":
		return c, wrong("give the name of the person who decides", "by: a change of the model has a name under it")
	}
	return c, errors.Join(plain("model", c.Model, maxName), plain("version", c.To, maxName), plain("by", c.By, maxName),
		plain("reason", strings.NewReplacer("\n", " ", "\t", " ").Replace(c.Reason), maxNote))
}
