package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"inspector"
	"inspector/classify"
	"inspector/model"
	"inspector/model/onnxgo"
	"inspector/model/onnxruntime"
	"inspector/models"
)

// A session runs one model. onnxruntime and onnx-go have one each.
type session interface {
	Run(ctx context.Context, in, out []float32) error
	Close() error
}

// judges hold one classifier per recipe. All methods may be called from any
// goroutine; what they give is for the line.
type judges struct {
	recipe  string // in force
	pkg     *model.Package
	runtime string
	session session
	recipes map[string]recipe
	fixed   map[string]*classify.Classifier // of recipes with one golden
}

// openJudges reads the model and every recipe, and proves that each can judge.
// Given recipes stand beside those of the configuration.
func openJudges(c Config, given map[string]recipe) (*judges, error) {
	simulated, err := simulatedRecipe(c.Simulated)
	if err != nil {
		return nil, err
	}
	j := &judges{recipe: c.Recipe, recipes: map[string]recipe{simulatedName: simulated}, fixed: map[string]*classify.Classifier{}}
	maps.Copy(j.recipes, given)
	source := fs.FS(models.FS)
	if c.Model.Folder != "" {
		source = os.DirFS(c.Model.Folder)
	}
	if j.pkg, err = model.Find(source, c.Model.Name); err != nil {
		return nil, err
	}
	if c.Recipes != "" {
		if err := j.readRecipes(c.Recipes); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(j.check(""), j.checkTakt(c.Trigger.Takt)); err != nil {
		return nil, err
	}
	if j.session, j.runtime, err = openSession(j.pkg, c.Model); err != nil {
		return nil, err
	}
	for name, r := range j.recipes {
		if err := j.fix(name, r); err != nil {
			return nil, errors.Join(fmt.Errorf("recipe %s: %w", name, err), j.Close())
		}
	}
	return j, nil
}

// fix makes the classifier of a recipe that has one golden for all boards.
func (j *judges) fix(name string, r recipe) (err error) {
	golden := r.drawn
	if golden.Data == nil {
		if strings.Contains(r.Golden, "{name}") {
			return nil
		}
		if golden, err = readGolden(r.Golden); err != nil {
			return err
		}
	}
	j.fixed[name], err = j.classifier(name, r, golden)
	return err
}

// openSession starts the runtime that the configuration names. With auto it is
// ONNX Runtime where its library is, else onnx-go.
func openSession(p *model.Package, c ModelConfig) (session, string, error) {
	if c.Runtime != "onnx-go" {
		s, err := onnxruntime.Open(c.Library, p, onnxruntime.Options{Threads: c.Threads})
		var missing *onnxruntime.MissingError
		if err == nil {
			return s, "onnxruntime", nil
		} else if c.Runtime == "onnxruntime" || !errors.As(err, &missing) {
			return nil, "", err
		}
	}
	s, err := onnxgo.Open(p)
	if err != nil {
		return nil, "", err
	}
	return s, "onnx-go", nil
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

func (j *judges) classifier(name string, r recipe, golden inspector.Pixels) (*classify.Classifier, error) {
	out, err := r.settings(name, golden)
	if err != nil {
		return nil, err
	}
	return classify.New(j.pkg, j.session, out)
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

// takt is the recipe's limit from trigger to verdict, or the usual one.
func (j *judges) takt(recipe string, usual time.Duration) time.Duration {
	return cmp.Or(j.recipes[j.name(recipe)].Takt, usual)
}

// checkTakt reports recipes that allow more than the line does.
func (j *judges) checkTakt(most time.Duration) error {
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(j.recipes)) {
		if takt := j.recipes[name].Takt; takt > most {
			faults = append(faults, fmt.Errorf("recipe %s: takt: %v is longer than trigger.takt, %v; shorten it, or raise that", name, takt, most))
		}
	}
	return errors.Join(faults...)
}

type unknownRecipeError struct {
	name  string
	known []string
}

func (e *unknownRecipeError) Error() string {
	return fmt.Sprintf("there is no recipe %q; the recipes are %s", e.name, strings.Join(e.known, ", "))
}

// of gives who judges a still by the recipe.
func (j *judges) of(recipe, still string) (*classify.Classifier, error) {
	if err := j.check(recipe); err != nil {
		return nil, err
	}
	recipe = j.name(recipe)
	if c := j.fixed[recipe]; c != nil {
		return c, nil
	}
	r := j.recipes[recipe]
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
	c, err := j.classifier(recipe, r, golden)
	if err != nil {
		return nil, fmt.Errorf("recipe %s: %w", recipe, err)
	}
	return c, nil
}

// warm runs the model once, so that the first board does not pay for it and a
// model that gives nonsense is known at the start.
func (j *judges) warm(ctx context.Context) error {
	for _, c := range j.fixed {
		return c.Warm(ctx) // all share the session
	}
	return nil
}

// Close ends the runtime; nobody may judge any more.
func (j *judges) Close() error { return j.session.Close() }
