package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"inspector"
	"inspector/camera"
	"inspector/classify"
)

// A recipe is the settings of one product: recipes/NAME.yaml.
type recipe struct {
	// Golden is a picture of a known-good board, relative to the recipe.
	// {name} in it stands for the still's name up to its last underscore: each
	// board is then compared with its own golden.
	Golden  string            `yaml:"golden"`
	Copper  classify.Tone     `yaml:"copper"`  // dark or bright
	Limits  *limits           `yaml:"limits"`  // default: the model's
	Classes map[string]limits `yaml:"classes"` // per class, where they differ
	Model   string            `yaml:"model"`   // NAME[@VERSION or @ALIAS]; default: that of the configuration

	drawn inspector.Pixels // the golden of the simulated line, which has no file
}

// limits are the scores at and above which a board fails, and below which it
// passes.
type limits struct {
	Fail float32 `yaml:"fail"`
	Pass float32 `yaml:"pass"`
}

func (j *judges) readRecipes(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return fmt.Errorf("recipes: %w", err)
	}
	var errs []error
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		r, err := readRecipe(file)
		if !regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`).MatchString(name) {
			err = fmt.Errorf("recipe %q: want 1 to 64 letters, digits, dots, - or _ as its name", file)
		}
		errs = append(errs, err)
		j.recipes[name] = r
	}
	return errors.Join(errs...)
}

func readRecipe(file string) (r recipe, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return r, fmt.Errorf("recipe: %w", err)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&r); err != nil && !errors.Is(err, io.EOF) {
		return r, fmt.Errorf("recipe: %w; the keys are golden, copper, limits, classes and model", located(file, strings.ReplaceAll(err.Error(), "in type main.recipe", "")))
	}
	if r.Golden != "" && !filepath.IsAbs(r.Golden) {
		r.Golden = filepath.Join(filepath.Dir(file), r.Golden)
	}
	r.Copper = cmp.Or(r.Copper, classify.Dark)
	return r, nil
}

// readGolden gives no pixels for no file: a model may need none.
func readGolden(file string) (inspector.Pixels, error) {
	if file == "" {
		return inspector.Pixels{}, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return inspector.Pixels{}, fmt.Errorf("golden: %w", err)
	}
	p, err := camera.Decode(data, maxStill)
	if err != nil {
		return p, fmt.Errorf("golden %s: %w", file, err)
	}
	return p, nil
}

// classifier of a recipe on one golden.
func (g *judge) classifier(name string, r recipe, golden inspector.Pixels) (*classify.Classifier, error) {
	out := classify.Recipe{Name: name, Golden: golden, Copper: r.Copper, ClassLimits: map[string]classify.Limits{}}
	if r.Limits != nil {
		out.Limits = classify.Limits(*r.Limits)
	}
	for class, l := range r.Classes {
		out.ClassLimits[class] = classify.Limits(l)
	}
	return classify.New(g.pkg, g.session, out)
}

// fixed gives the classifier of a recipe that has one golden for all boards,
// and nil for one whose golden is another for each.
func (g *judge) fixed(name string, r recipe) (*classify.Classifier, error) {
	golden := r.drawn
	if golden.Data == nil {
		if strings.Contains(r.Golden, "{name}") {
			return nil, nil
		}
		var err error
		if golden, err = readGolden(r.Golden); err != nil {
			return nil, err
		}
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
		return nil, err
	}
	c, err := g.classifier(recipe, r, golden)
	if err != nil {
		return nil, fmt.Errorf("recipe %s: %w", recipe, err)
	}
	return c, nil
}

// name gives the recipe in force for an empty name.
func (j *judges) name(recipe string) string { return cmp.Or(recipe, j.recipe) }

// check reports whether there is such a recipe; empty is the one in force.
func (j *judges) check(recipe string) error {
	if _, ok := j.recipes[j.name(recipe)]; !ok {
		return &unknownRecipeError{j.name(recipe), slices.Sorted(maps.Keys(j.recipes))}
	}
	return nil
}

type unknownRecipeError struct {
	name  string
	known []string
}

func (e *unknownRecipeError) Error() string {
	return fmt.Sprintf("there is no recipe %q; the recipes are %s", e.name, strings.Join(e.known, ", "))
}
