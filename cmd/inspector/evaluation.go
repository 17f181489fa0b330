package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"inspector"
	"inspector/camera"
	"inspector/classify"
	"inspector/evaluate"
	"inspector/model"
	"inspector/model/onnxgo"
)

// An evaluation judges the boards of a data set with one model.
type evaluation struct {
	pkg      *model.Package
	runtime  string
	sessions []session // one per worker; the same for all if it runs boards side by side
	recipe   string    // name; empty: none
	golden   string    // of the recipe, absolute
	settings classify.Recipe
	policy   evaluate.Policy
	data     evaluate.Dataset
}

// openEvaluation finds the model and the recipe and starts the runtime. The
// caller closes it.
func openEvaluation(ctx context.Context, o evalOptions, env func(string) string) (*evaluation, error) {
	flags := map[string]string{
		environmentName("model.name"): strings.Replace(o.model, "@", "/", 1), environmentName("model.folder"): o.models,
		environmentName("model.runtime"): o.runtime, environmentName("model.variant"): o.variant, environmentName("model.threads"): "1", // boards side by side instead
	}
	c, err := loadConfig(o.config, func(name string) string {
		if v := flags[name]; v != "" {
			return v
		}
		return env(name)
	})
	if err != nil {
		return nil, err
	}
	r, name, err := o.recipeIn(c.Recipes)
	if err != nil {
		return nil, err
	}
	if o.model == "" {
		c.Model.Name = cmp.Or(r.Model, c.Model.Name)
	}
	e := &evaluation{recipe: name}
	if e.pkg, err = inForce(c); err != nil {
		return nil, err
	}
	if err := e.judgeBy(r, o); err != nil {
		return nil, err
	}
	for range o.workers {
		s, name, err := openSession(ctx, e.pkg, c.Model)
		if err != nil {
			return nil, errors.Join(err, e.Close())
		}
		e.runtime = (&judge{pkg: e.pkg, runtime: name}).label()
		e.sessions = append(e.sessions, s)
		if name != onnxgo.Name { // one session runs boards side by side
			e.sessions = slices.Repeat(e.sessions, o.workers)
			break
		}
	}
	return e, nil
}

// recipeIn reads the recipe that was named, with its name; an empty one if none
// was.
func (o evalOptions) recipeIn(folder string) (r recipe, name string, err error) {
	if o.recipe == "" {
		return r, "", nil
	}
	file := o.recipe
	if ext := filepath.Ext(file); ext != ".yaml" && ext != ".yml" {
		if folder == "" {
			return r, "", fmt.Errorf("eval: --recipe %s: the configuration names no folder of recipes; name it with --config or INSPECTOR_RECIPES, or give the recipe's file", o.recipe)
		}
		file = filepath.Join(folder, file+".yaml")
	}
	r, err = readRecipe(file)
	return r, strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)), err
}

// judgeBy judges by the recipe, as the line does, and by the limits of the model
// where it has none.
func (e *evaluation) judgeBy(r recipe, o evalOptions) (err error) {
	if r.Golden != "" {
		if e.golden, err = filepath.Abs(r.Golden); err != nil {
			return err
		}
	}
	if e.settings, err = r.settings(cmp.Or(e.recipe, "eval"), inspector.Pixels{}); err != nil {
		return err
	}
	e.settings.Copper = o.tone(r)
	if r.Limits == nil {
		e.settings.Limits = classify.Limits(e.pkg.Thresholds)
	}
	e.policy = evaluate.Policy{Limits: evaluate.Limits(e.settings.Limits), Classes: map[string]evaluate.Limits{}}
	for class, l := range r.Classes {
		e.policy.Classes[class] = evaluate.Limits(l)
	}
	return nil
}

// Close ends the runtime; nobody may judge any more.
func (e *evaluation) Close() error {
	var errs []error
	for i, s := range e.sessions {
		if i == 0 || s != e.sessions[0] {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}

// classes are the model's kinds of defects.
func (e *evaluation) classes() []string {
	return slices.DeleteFunc(slices.Clone(e.pkg.Labels), func(l string) bool { return l == e.pkg.Good })
}

// boxes reports whether what the model says about places can be compared with
// what the data set says: both have boxes, or both judge whole boards.
func (e *evaluation) boxes() bool {
	return e.data.Labels == (e.pkg.Task == model.Classification)
}

// knows tells which classes of the data set the model has never heard of. If it
// is all of them, nothing can be measured.
func (e *evaluation) knows(stderr io.Writer) error {
	if !e.boxes() {
		fmt.Fprintf(stderr, "inspector: %s is for %s and the data set has %s: only whole boards are compared\n", e.pkg.ID(), e.pkg.Task, map[bool]string{true: "a label for each board", false: "boxes"}[e.data.Labels])
		return nil
	}
	unknown := slices.DeleteFunc(slices.Clone(e.data.Classes), func(c string) bool { return slices.Contains(e.classes(), c) })
	switch {
	case len(unknown) == 0:
		return nil
	case len(unknown) == len(e.data.Classes):
		return fmt.Errorf("eval: the data set has the classes %q and %s has %q: name equals with --rename OLD=NEW", e.data.Classes, e.pkg.ID(), e.classes())
	}
	fmt.Fprintf(stderr, "inspector: %s does not know %q: their defects count as missed, unless --rename OLD=NEW gives them other names\n", e.pkg.ID(), unknown)
	return nil
}

// judgeAll judges the samples, in any order, and gives the boards in theirs.
// Who cannot be read is unsure, and is among the errors unread.
func (e *evaluation) judgeAll(ctx context.Context, samples []evaluate.Sample, bar *progress) (boards []evaluate.Board, unread []error, err error) {
	if _, err := (&worker{evaluation: e, session: e.sessions[0]}).classifier(samples[0].Golden); err != nil {
		return nil, nil, err // what one board lacks, all lack
	}
	boards, errs := make([]evaluate.Board, len(samples)), make([]error, len(samples))
	var next atomic.Int64
	var all sync.WaitGroup
	for _, s := range e.sessions {
		w := &worker{evaluation: e, session: s}
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(samples) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				boards[i], errs[i] = w.judge(ctx, samples[i])
				bar.done.Add(1)
			}
		})
	}
	all.Wait()
	if ctx.Err() != nil {
		return nil, nil, ctx.Err()
	}
	return boards, slices.DeleteFunc(errs, func(err error) bool { return err == nil }), nil
}

// A worker judges one board at a time.
type worker struct {
	*evaluation
	session session
	golden  string // that its classifier compares with
	current *classify.Classifier
}

// classifier gives one for the golden board, the last one if it is the same.
func (w *worker) classifier(golden string) (*classify.Classifier, error) {
	if !w.pkg.Input().Golden {
		golden = ""
	}
	if w.current != nil && w.golden == golden {
		return w.current, nil
	}
	r := w.settings
	var err error
	if r.Golden, err = readGolden(golden); err != nil {
		return nil, err
	}
	if w.current, err = classify.New(w.pkg, w.session, r); err != nil {
		w.current = nil
		return nil, err
	}
	w.golden = golden
	return w.current, nil
}

// unknownSize stands for that of a picture that cannot be read.
const unknownSize = 1 << 20

// judge gives a board that is unsure, with its reason, if it could not be
// judged. An error says that its picture could not be read.
func (w *worker) judge(ctx context.Context, s evaluate.Sample) (evaluate.Board, error) {
	b := evaluate.Board{Name: s.Name, Verdict: inspector.Unsure}
	p, err := readStill(s.Picture)
	if err == nil {
		b.Truth, err = s.Truth(p.Width, p.Height)
	} else {
		b.Truth, _ = s.Truth(unknownSize, unknownSize) // cannot be outside
	}
	if err != nil {
		b.Reason = classify.Unsure(err).Reason
		return b, err
	}
	r, found := w.ask(ctx, s.Golden, p)
	b.Found, b.Called, b.Verdict, b.Reason, b.Timings = found, r.Defects, r.Verdict, r.Reason, r.Timings
	return b, nil
}

// ask is Classify and all that was found besides.
func (w *worker) ask(ctx context.Context, golden string, p inspector.Pixels) (classify.Result, []inspector.Defect) {
	c, err := w.classifier(golden)
	if err != nil {
		return classify.Unsure(err), nil
	}
	in, err := c.Prepare(p)
	if err != nil {
		return classify.Unsure(err), nil
	}
	out, err := c.Infer(ctx, in)
	if err != nil {
		return classify.Unsure(err), nil
	}
	found, err := c.Above(out, evaluate.Floor)
	if err != nil {
		return classify.Unsure(err), nil
	}
	return c.Judge(out), found
}

func readStill(name string) (inspector.Pixels, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return inspector.Pixels{}, err
	}
	p, err := camera.Decode(data, maxStill)
	if err != nil {
		return p, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

// inForce is the package that model.name stands for.
func inForce(c Config) (*model.Package, error) {
	r, err := openRegistry(c)
	if err != nil {
		return nil, err
	}
	ref, err := model.ParseRef(c.Model.Name)
	if err != nil {
		return nil, err
	}
	version, err := r.Resolve(ref)
	if err != nil {
		return nil, err
	}
	trust, err := model.ParseTrust(c.Model.TrustedKeys)
	if err != nil {
		return nil, err
	}
	p, err := r.Load(ref.Name, version, trust)
	if err != nil {
		return nil, err
	}
	if c.Model.Variant == "auto" {
		return nil, errors.New("eval: model.variant is auto, which is whatever is fastest; say which is measured, with --variant fp32 or --variant int8")
	}
	return r.In(c.Model.Variant, p)
}
