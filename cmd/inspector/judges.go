package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"inspector/classify"
	"inspector/model"
)

// A session runs one model. Each runtime has one.
type session interface {
	Run(ctx context.Context, in, out []float32) error
	Close() error
}

// A judge is one version of a model that has shown that it may judge.
type judge struct {
	pkg     *model.Package
	runtime string
	session session
	proof   classify.Proof

	held    int  // boards that it has not finished, guarded by judges.mu
	retired bool // it gets no more boards
}

// label names the runtime, with the variant if it is not the usual one.
func (g *judge) label() string {
	if g.pkg.Variant == model.FP32 {
		return g.runtime
	}
	return g.runtime + " " + g.pkg.Variant
}

// judges hold who judges by which recipe. All methods may be called from any
// goroutine; what they give is for the line.
type judges struct {
	recipe     string // of the configuration: in force until somebody puts another there
	force      recipeLog
	codes      map[string]coding // of the recipes that have one
	recipes    map[string]recipe
	broken     map[string]bool      // recipes that have faults: nobody judges by them
	simulation *simulation          // whose recipe is among them
	refs       map[string]model.Ref // of each recipe
	registry   *model.Registry
	folder     string // of models, beside those inside the program; empty: only those
	open       func(ctx context.Context, name, version string) (*judge, error)

	changed  func(context.Context, model.Change) // told of every change that is durable; nil: nobody
	changing sync.Mutex                          // held while a candidate is proven and put in place

	mu      sync.Mutex
	places  map[string]place    // by recipe; nil: nobody judges, the registry is changed only
	beside  map[string]place    // the shadow of each recipe that has one
	refused map[model.Ref]error // why who an alias was to stand for is not in place
	leaving []*judge            // retired, and not finished yet
}

// A place is who judges by one recipe. Its holder leaves it once.
type place struct {
	name   string
	recipe recipe
	*judge
	fixed  func() (*classify.Classifier, error) // nil: the golden is another for each board
	judges *judges
}

// of gives the classifier of a still.
func (p place) of(still string) (*classify.Classifier, error) {
	if p.fixed != nil {
		return p.fixed()
	}
	return p.perStill(p.name, p.recipe, still)
}

// place has the judge judge by the recipe.
func (j *judges) place(name string, g *judge) (place, error) {
	r := j.recipes[name]
	p := place{name: name, recipe: r, judge: g, judges: j}
	if err := r.idle(g.pkg); err != nil {
		return p, err
	}
	if r.drawn == nil && strings.Contains(r.Golden, "{name}") {
		return p, nil
	}
	p.fixed = sync.OnceValues(func() (*classify.Classifier, error) { return g.fixed(name, r) })
	if name == simulatedName && j.recipe != name {
		return p, nil // drawn when a board asks for it
	}
	_, err := p.fixed()
	return p, err
}

// take gives who judges the next board by the recipe; empty is the one in
// force. The board holds the place until leave: a change of the model in
// between does not concern it. By the codes on the boards, nobody judges.
func (j *judges) take(recipe string) (place, error) {
	name := j.name(recipe)
	if err := j.check(name); err != nil {
		return place{}, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	p := j.places[name]
	if p.judge == nil {
		return place{}, fmt.Errorf("recipe %s: nobody judges by it; name another", name)
	}
	p.held++
	return p, nil
}

// leave gives the place back. The last to leave a judge that is retired closes
// its session.
func (p place) leave() error {
	p.judges.mu.Lock()
	p.held--
	last := p.retired && p.held == 0
	if last {
		p.judges.leaving = slices.DeleteFunc(p.judges.leaving, func(g *judge) bool { return g == p.judge })
	}
	p.judges.mu.Unlock()
	if last {
		return p.session.Close()
	}
	return nil
}

// now tells who judges by the recipe at present, and nothing more: it may
// retire at any time. Nobody judges by a recipe that is gone, and it may be
// more than one who do by the codes on the boards.
func (j *judges) now(recipe string) (id, runtime string) {
	all := j.at(recipe)
	if len(all) != 1 {
		return "", ""
	}
	return all[0].pkg.ID(), all[0].label()
}

// at gives a place of each who judges by the recipe at present.
func (j *judges) at(recipe string) (all []place) {
	names := []string{j.name(recipe)}
	if names[0] == byCode {
		names = slices.Sorted(maps.Keys(j.codes))
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, name := range names {
		p := j.places[name]
		if p.judge != nil && !slices.ContainsFunc(all, func(other place) bool { return other.judge == p.judge }) {
			all = append(all, p)
		}
	}
	return all
}

// Close ends the runtimes; nobody may judge any more.
func (j *judges) Close() error {
	j.changing.Lock() // a candidate on its way is not left behind
	defer j.changing.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	all := j.seated()
	for _, g := range j.leaving {
		all[g] = true
	}
	j.places, j.beside, j.leaving = nil, nil, nil
	return closeAll(maps.Keys(all))
}
