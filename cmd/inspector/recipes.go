package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"inspector"
	"inspector/classify"
)

func (j *judges) readRecipes(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return fmt.Errorf("recipes: %w", err)
	}
	var errs []error
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		r, err := readRecipe(file)
		if !recipeName.MatchString(name) {
			err = fmt.Errorf("recipe %q: want 1 to 64 letters, digits, dots, - or _ as its name", file)
		}
		if name == byCode {
			err = fmt.Errorf("recipe %q: the name is taken: it has the codes on the boards say; give it another", file)
		}
		err = errors.Join(err, r.missing())
		errs = append(errs, err)
		j.recipes[name], j.broken[name] = r, err != nil
	}
	return errors.Join(errs...)
}

// classifier of a recipe on one golden.
func (g *judge) classifier(name string, r recipe, golden inspector.Pixels) (*classify.Classifier, error) {
	out, err := r.settings(name, golden)
	if err != nil {
		return nil, err
	}
	c, err := classify.New(g.pkg, g.session, out)
	if err != nil {
		return nil, fmt.Errorf("%s%w", r.from.where(""), err)
	}
	return c, nil
}

// fixed gives the classifier of a recipe that has one golden for all boards.
func (g *judge) fixed(name string, r recipe) (*classify.Classifier, error) {
	read := r.drawn
	if read == nil {
		read = func() (inspector.Pixels, error) { return readGolden(r.Golden) }
	}
	golden, err := read()
	if err != nil {
		return nil, r.fault(name, "golden", err)
	}
	return g.classifier(name, r, golden)
}

// perStill gives the classifier of a recipe whose golden is another for each
// still.
func (g *judge) perStill(recipe string, r recipe, still string) (*classify.Classifier, error) {
	if still == "" {
		return nil, fmt.Errorf("recipe %s compares each still with a golden of its own name, but this one has no name", recipe)
	}
	stem := strings.TrimSuffix(filepath.Base(still), filepath.Ext(still))
	if i := strings.LastIndexByte(stem, '_'); i > 0 {
		stem = stem[:i]
	}
	golden, err := readGolden(strings.ReplaceAll(r.Golden, "{name}", stem))
	if err != nil {
		return nil, r.fault(recipe, "golden", err)
	}
	return g.classifier(recipe, r, golden)
}

// recipeName is what a recipe may be called.
var recipeName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// name gives the recipe in force for an empty name.
func (j *judges) name(recipe string) string {
	if recipe != "" {
		return recipe
	}
	c, _ := j.force.last()
	return cmp.Or(c.To, j.recipe)
}

// check reports whether there is such a recipe; empty is the one in force.
func (j *judges) check(recipe string) error {
	name := j.name(recipe)
	if _, ok := j.recipes[name]; !ok && (name != byCode || len(j.codes) == 0) {
		known := slices.Sorted(maps.Keys(j.recipes))
		if len(j.codes) > 0 {
			known = append(known, byCode)
		}
		chosen, _ := j.force.last()
		return &unknownRecipeError{name, name == chosen.To, known}
	}
	return nil
}

// takt is the recipe's limit from trigger to verdict, or the usual one.
func (j *judges) takt(recipe string, usual time.Duration) time.Duration {
	return cmp.Or(j.recipes[j.name(recipe)].Takt, usual)
}

// checkTakt reports recipes that allow more than the line does.
func (j *judges) checkTakt(most time.Duration) error {
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(j.recipes)) {
		if takt := j.recipes[name].Takt; takt > most {
			err := fmt.Errorf("%v is longer than trigger.takt, %v; shorten it, or raise that", takt, most)
			faults = append(faults, j.recipes[name].fault(name, "takt", err))
		}
	}
	return errors.Join(faults...)
}

type unknownRecipeError struct {
	name    string
	inForce bool // somebody chose it, and it was there then
	known   []string
}

func (e *unknownRecipeError) Error() string {
	if e.name == byCode {
		return "recipe " + byCode + ": no recipe says which codes are its own; give one the key code"
	}
	if e.inForce {
		return fmt.Sprintf("recipe %q is in force, and is not there any more; put another in force, of %s", e.name, strings.Join(e.known, ", "))
	}
	return fmt.Sprintf("there is no recipe %q; the recipes are %s", e.name, strings.Join(e.known, ", "))
}
