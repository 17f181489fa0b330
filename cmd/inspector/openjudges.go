package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"inspector/model"
)

// openJudges reads the models and every recipe, and has each model that a
// recipe names prove that it may judge. Given recipes stand beside those of the
// configuration. If the version in production may not judge, the one before it
// does, and health says so.
func openJudges(ctx context.Context, c Config, given map[string]recipe) (_ *judges, err error) {
	j, wrong := readJudges(c, given)
	if j.registry == nil {
		return nil, wrong
	}
	found, failed := map[string]*judge{}, map[string]error{}
	defer func() {
		if err != nil {
			err = errors.Join(err, closeAll(maps.Values(found)))
		}
	}()
	open := func(name, version string) (_ *judge, err error) {
		key := name + "/" + version
		if found[key] == nil && failed[key] == nil { // each proves itself once
			var g *judge
			if g, err = j.open(ctx, name, version); err == nil {
				found[key] = g
			}
			failed[key] = err
		}
		return found[key], failed[key]
	}
	j.places, j.beside = map[string]place{}, map[string]place{}
	faults, told := []error{wrong}, map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(j.refs)) {
		g, err := j.first(open, j.refs[name])
		if err != nil {
			err = j.unmodelled(name, err)
		} else if !j.broken[name] {
			j.places[name], err = j.place(name, g)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil && !told[err.Error()] {
			faults, told[err.Error()] = append(faults, err), true
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return j, j.firstShadows(ctx, open)
}

// readJudges reads recipes and registry, without any model. With an error it
// gives what could be read; the registry is nil if there is none.
func readJudges(c Config, given map[string]recipe) (*judges, error) {
	simulated := newSimulation(c.Simulated)
	j := &judges{recipe: c.Recipe, simulation: simulated, recipes: map[string]recipe{simulatedName: simulated.recipe()}, broken: map[string]bool{}, codes: map[string]coding{}, refs: map[string]model.Ref{}, refused: map[model.Ref]error{}, folder: c.Model.Folder}
	maps.Copy(j.recipes, given)
	var faults []error
	if c.Recipes != "" {
		faults = append(faults, j.readRecipes(c.Recipes))
	}
	for name, r := range j.recipes {
		if r.Code != nil {
			j.codes[name] = r.Code.coding(name)
		}
	}
	faults = append(faults, j.check(j.recipe), j.checkTakt(c.Trigger.Takt), j.force.read(c.Data), j.refer(c.Model.Name))
	trust, err := model.ParseTrust(c.Model.TrustedKeys)
	if err != nil {
		return j, errors.Join(append(faults, fmt.Errorf("model.trusted_keys: %w", err))...)
	}
	j.open = func(ctx context.Context, name, version string) (*judge, error) {
		p, err := j.registry.Load(name, version, trust)
		if err != nil {
			return nil, err
		}
		return openProven(ctx, j.registry, p, c.Model, j.shortest(name, c.Trigger.Takt))
	}
	j.registry, err = openRegistry(c)
	return j, errors.Join(append(faults, err)...)
}

// refer reads which model each recipe names; usual is that of those that name none.
func (j *judges) refer(usual string) error {
	var faults []error
	common, err := model.ParseRef(usual)
	if err != nil {
		faults = append(faults, fmt.Errorf("model.name: %w", err))
	}
	for _, name := range slices.Sorted(maps.Keys(j.recipes)) {
		r := j.recipes[name]
		if r.Model == "" {
			if err == nil {
				j.refs[name] = common
			}
			continue
		}
		if ref, err := model.ParseRef(r.Model); err != nil {
			faults = append(faults, r.fault(name, "model", err))
		} else {
			j.refs[name] = ref
		}
	}
	return errors.Join(faults...)
}

// shortest is the shortest takt limit of the recipes that name the model.
func (j *judges) shortest(name string, usual time.Duration) time.Duration {
	for recipe, r := range j.recipes {
		if j.refs[recipe].Name == name && r.Takt > 0 {
			usual = min(usual, r.Takt)
		}
	}
	return usual
}

// openRegistry reads which versions there are and which are in force.
func openRegistry(c Config) (*model.Registry, error) {
	return model.OpenRegistry(shelved(c.Model.Folder), filepath.Join(c.Data, "models.json"))
}

// first opens what a reference stands for at the start. A version in
// production that may not judge gives way to the one before it, and one that
// the program no longer carries to the newest.
func (j *judges) first(open func(name, version string) (*judge, error), ref model.Ref) (*judge, error) {
	version, err := j.registry.Resolve(ref)
	if err != nil {
		return nil, err
	}
	if version == "" {
		return nil, fmt.Errorf("model: nothing is %s; set it with inspector model shadow %s@VERSION", ref, ref.Name)
	}
	g, err := open(ref.Name, version)
	if err == nil || ref.At != model.Production {
		return g, err
	}
	others := j.registry.Former(ref.Name)
	shipped, versionsErr := j.registry.Versions(ref.Name)
	gone := carried(j.folder, ref.Name) && versionsErr == nil && !slices.Contains(shipped, version)
	if gone {
		others = shipped[len(shipped)-1:]
	}
	for _, other := range others {
		if g, otherErr := open(ref.Name, other); otherErr == nil {
			if !gone {
				j.refused[ref] = err
			}
			return g, nil
		}
	}
	return nil, err
}

// unmodelled says which recipe has no model, and where one was looked for.
func (j *judges) unmodelled(name string, err error) error {
	ref, r := j.refs[name], j.recipes[name]
	all, namesErr := j.registry.Names()
	if namesErr == nil && !slices.Contains(all, ref.Name) {
		where := "in the program"
		if j.folder != "" {
			where = fmt.Sprintf("in model.folder (%s) or in the program", j.folder)
		}
		err = fmt.Errorf("there is no model %s %s, only %s; put it there with inspector model add, or name another: %w", ref.Name, where, strings.Join(all, ", "), err)
	}
	if r.Model == "" {
		return fmt.Errorf("model.name: %w", err)
	}
	return r.fault(name, "model", err)
}

// firstShadows opens the shadows that the registry names. One that may not
// judge is left out: nothing depends on it.
func (j *judges) firstShadows(ctx context.Context, open func(name, version string) (*judge, error)) error {
	for _, name := range slices.Sorted(maps.Keys(j.recipes)) {
		ref := model.Ref{Name: j.refs[name].Name, At: model.Shadow}
		version, err := j.registry.Resolve(ref)
		if err == nil && version != "" && j.refused[ref] == nil {
			var g *judge
			if g, err = open(ref.Name, version); err == nil {
				var p place
				if p, err = j.place(name, g); err == nil {
					j.beside[name] = p
				}
			}
		}
		if err != nil {
			j.refused[ref] = err
		}
	}
	return ctx.Err()
}
