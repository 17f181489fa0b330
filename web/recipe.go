package web

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

// A Recipe is the settings of one product.
type Recipe struct {
	Name  string `json:"name"`
	Model string `json:"model"`          // name/version@sha256 of who judges by it
	Code  string `json:"code,omitempty"` // pattern of the texts in codes that are its own
}

// An InForce says which recipe judges boards that ask for none.
type InForce struct {
	Recipe     string         `json:"recipe"`     // nobody judges if it is not among Recipes
	Configured string         `json:"configured"` // in force until somebody chose
	Recipes    []Recipe       `json:"recipes"`
	Changes    []RecipeChange `json:"changes"` // newest first
}

// A RecipeChange puts a recipe in force. An order says To, By and Reason; the
// rest is the answer's.
type RecipeChange struct {
	At     time.Time `json:"at"`
	By     string    `json:"by"`
	From   string    `json:"from"`
	To     string    `json:"to"`
	Reason string    `json:"reason"`
}

// recipes knows which recipe is in force. A change that is refused leaves all
// as it was.
type recipes interface {
	Recipes(ctx context.Context) (InForce, error)
	UseRecipe(ctx context.Context, c RecipeChange) (RecipeChange, error)
}

func (s *Server) getRecipe(c *gin.Context) {
	now, err := s.opt.Recipes.Recipes(c.Request.Context())
	now.Recipes, now.Changes = list(now.Recipes), list(now.Changes)
	s.answer(c, now, err)
}

func (s *Server) putRecipe(c *gin.Context) {
	body, err := s.order(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	order, err := parseRecipeChange(body)
	if err != nil {
		s.fail(c, err)
		return
	}
	done, err := s.opt.Recipes.UseRecipe(c.Request.Context(), order)
	if errors.Is(err, ErrNotFound) {
		err = bad(http.StatusNotFound, "use one of those; a recipe that was added since the start is there after a restart", "%v", err)
	}
	s.answer(c, done, err)
}

// parseRecipeChange reads the order to put a recipe in force.
func parseRecipeChange(r io.Reader) (RecipeChange, error) {
	var in struct{ Recipe, By, Reason string }
	if err := decode(r, &in); errors.Is(err, io.EOF) {
		return RecipeChange{}, wrong("send recipe, by and reason", "the body is empty")
	} else if err != nil {
		return RecipeChange{}, err
	}
	c := RecipeChange{To: in.Recipe, By: strings.TrimSpace(in.By), Reason: strings.TrimSpace(in.Reason)}
	switch {
	case c.To == "":
		return c, wrong("give the name of the recipe", "recipe: some recipe must be in force")
	case c.By == "":
		return c, wrong("give the name of the person who decides", "by: a change of the recipe has a name under it")
	}
	return c, errors.Join(plain("recipe", c.To, maxName), plain("by", c.By, maxName),
		plain("reason", strings.NewReplacer("\n", " ", "\t", " ").Replace(c.Reason), maxNote))
}
