package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"inspector/model"
)

// A changeError says why an alias cannot stand for that version, whatever the
// version's worth.
type changeError struct{ why error }

func (e *changeError) Error() string { return e.why.Error() }
func (e *changeError) Unwrap() error { return e.why }

// Permanent tells whoever retries not to.
func (*changeError) Permanent() bool { return true }

// A noModelError says that no model has that name.
type noModelError struct {
	name  string
	known []string
}

func (e *noModelError) Error() string {
	return fmt.Sprintf("there is no model %s; there are %s", e.name, strings.Join(e.known, ", "))
}

func (*noModelError) Unwrap() error { return fs.ErrNotExist }

// A refusedError says why a candidate was refused; who judged before goes on.
type refusedError struct {
	change model.Change
	err    error
}

func (e *refusedError) Error() string {
	return fmt.Sprintf("%s@%s is refused as %s: %v", e.change.Model, e.change.To, e.change.Alias, e.err)
}

func (e *refusedError) Unwrap() error { return e.err }

// Permanent tells whoever retries not to.
func (*refusedError) Permanent() bool { return true }

// change lets an alias stand for another version: c says which model, alias
// and version, or that it goes back, and who wants it for what reason. The
// candidate is opened, proven and warmed while the present one judges; the
// change is then made durable, and from the next board on the candidate
// judges. If anything goes wrong, all is as it was.
func (j *judges) change(ctx context.Context, c model.Change) (model.Change, error) {
	j.changing.Lock()
	defer j.changing.Unlock()
	ref := model.Ref{Name: c.Model, At: c.Alias}
	c, err := j.meant(ref, c)
	if err != nil {
		return c, err
	}
	var g *judge
	seats := map[string]place{}
	if c.To != "" {
		if g, err = j.candidate(ctx, c); err == nil {
			seats, err = j.seats(ref, g)
		}
	}
	if err == nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		err = errors.Join(err, j.drop(g))
		if ctx.Err() == nil {
			err = &refusedError{c, err}
			j.note(ref, err)
		}
		return c, err
	}
	c.At = time.Now()
	all := append([]model.Change{c}, j.unshadowed(c)...)
	if err := j.registry.Apply(all...); err != nil {
		return c, errors.Join(err, j.drop(g))
	}
	j.note(ref, nil)
	for _, c := range all {
		if j.changed != nil {
			j.changed(ctx, c)
		}
	}
	return c, j.swap(all, seats, g)
}

// unshadowed is what follows from a change that puts the shadow into
// production: it is a shadow no more, for it would agree with itself.
func (j *judges) unshadowed(c model.Change) []model.Change {
	if c.Alias != model.Production || j.registry.Alias(c.Model, model.Shadow) != c.To {
		return nil
	}
	return []model.Change{{At: c.At, By: c.By, Model: c.Model, Alias: model.Shadow, From: c.To, Reason: "it is in production now"}}
}

// meant completes the change with the versions before and after it.
func (j *judges) meant(ref model.Ref, c model.Change) (model.Change, error) {
	names, err := j.registry.Names()
	if err == nil && !slices.Contains(names, c.Model) {
		return c, &changeError{&noModelError{c.Model, names}}
	}
	if c.From, err = j.registry.Resolve(ref); err != nil {
		return c, &changeError{err}
	}
	if c.Back {
		former := j.registry.Former(c.Model)
		if len(former) == 0 {
			return c, &changeError{fmt.Errorf("no version of %s was in production before %s", c.Model, c.From)}
		}
		c.To = former[0]
	}
	follows := func(r model.Ref) bool { return r == ref || c.Alias == model.Shadow && r.Name == ref.Name }
	switch all, err := j.registry.Versions(c.Model); {
	case err != nil:
		return c, &changeError{err}
	case c.To == c.From && c.To == "":
		return c, &changeError{fmt.Errorf("%s has no shadow", c.Model)}
	case c.To == c.From:
		return c, &changeError{fmt.Errorf("%s@%s is %s already", c.Model, c.To, c.Alias)}
	case c.To != "" && !slices.Contains(all, c.To):
		return c, &changeError{fmt.Errorf("there is no version %s of %s; the versions are %v", c.To, c.Model, all)}
	case !slices.ContainsFunc(slices.Collect(maps.Values(j.refs)), follows):
		return c, &changeError{fmt.Errorf("no recipe follows %s: model.name and each recipe's model name another; name it there without a version", ref)}
	}
	return c, nil
}

// candidate gives the version's judge: the one that is in place for another
// recipe or alias, or a new one that has proven itself.
func (j *judges) candidate(ctx context.Context, c model.Change) (*judge, error) {
	j.mu.Lock()
	for g := range j.seated() {
		if g.pkg.Name == c.Model && g.pkg.Version == c.To {
			j.mu.Unlock()
			return g, nil // it leaves its places only under j.changing
		}
	}
	j.mu.Unlock()
	return j.open(ctx, c.Model, c.To)
}

// seats has the judge judge by every recipe that follows the reference.
func (j *judges) seats(ref model.Ref, g *judge) (map[string]place, error) {
	out := map[string]place{}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(j.recipes)) {
		if j.refs[name] != ref && (ref.At != model.Shadow || j.refs[name].Name != ref.Name) {
			continue
		}
		p, err := j.place(name, g)
		out[name], errs = p, append(errs, err)
	}
	return out, errors.Join(errs...)
}

// drop closes a candidate that has no place.
func (j *judges) drop(g *judge) error {
	j.mu.Lock()
	seated := j.seated()[g]
	j.mu.Unlock()
	if g == nil || seated {
		return nil
	}
	return g.session.Close()
}

// swap puts the seats of the first change in place, and takes those of a shadow
// away that any of them concerns. It retires who has none any more. Boards that
// hold an old place keep it to their verdict.
func (j *judges) swap(changes []model.Change, seats map[string]place, g *judge) error {
	if j.places == nil {
		return j.drop(g) // nobody judges here
	}
	j.mu.Lock()
	before := j.seated()
	for _, c := range changes {
		if c.Alias == model.Shadow {
			maps.DeleteFunc(j.beside, func(recipe string, _ place) bool { return j.refs[recipe].Name == c.Model })
		}
	}
	to := j.places
	if changes[0].Alias == model.Shadow {
		to = j.beside
	}
	maps.Copy(to, seats)
	var idle []*judge
	for old := range before {
		if j.seated()[old] {
			continue
		}
		old.retired = true
		if old.held == 0 {
			idle = append(idle, old)
		} else {
			j.leaving = append(j.leaving, old)
		}
	}
	j.mu.Unlock()
	return closeAll(slices.Values(idle))
}

// seated are the judges that have a place. The caller holds j.mu.
func (j *judges) seated() map[*judge]bool {
	out := map[*judge]bool{}
	for _, p := range j.places {
		out[p.judge] = true
	}
	for _, p := range j.beside {
		out[p.judge] = true
	}
	return out
}

// note remembers why who an alias was to stand for is not in place; nil: all
// is as it should be.
func (j *judges) note(ref model.Ref, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err == nil {
		delete(j.refused, ref)
	} else {
		j.refused[ref] = err
	}
}

// refusals gives what note remembers.
func (j *judges) refusals() map[model.Ref]error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return maps.Clone(j.refused)
}

// settle writes down which versions judge, once the appliance runs: from then
// on a version that is put into the folder judges only when it is promoted.
func (j *judges) settle() error {
	j.changing.Lock()
	defer j.changing.Unlock()
	for _, name := range slices.Sorted(maps.Keys(j.places)) {
		ref, have := j.refs[name], j.places[name].pkg.Version
		if ref.At != model.Production || j.refused[ref] != nil {
			continue
		}
		from := j.registry.Alias(ref.Name, ref.At)
		if from == have {
			continue
		}
		c := model.Change{At: time.Now(), By: "inspector", Model: ref.Name, Alias: ref.At, From: from, To: have, Reason: "the newest version at the first start"}
		if from != "" {
			c.Reason = "this program does not carry the version before"
		}
		if err := j.registry.Apply(c); err != nil {
			return err
		}
	}
	return nil
}

func closeAll(judges iter.Seq[*judge]) error {
	var errs []error
	for g := range judges {
		errs = append(errs, g.session.Close())
	}
	return errors.Join(errs...)
}
