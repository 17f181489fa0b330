package main

import (
	"context"
	"slices"
	"strings"

	"inspector/model"
	"inspector/web"
)

// Models lists the registry, with its audit.
func (b *backend) Models(context.Context) ([]web.Model, []web.ModelChange, error) {
	return listModels(b.judges.registry, b.judges.refusals())
}

func listModels(r *model.Registry, refusals map[model.Ref]error) ([]web.Model, []web.ModelChange, error) {
	names, err := r.Names()
	if err != nil {
		return nil, nil, err
	}
	var out []web.Model
	for _, name := range names {
		m := web.Model{Name: name, Former: r.Former(name)}
		if m.Versions, err = r.Versions(name); err != nil {
			return nil, nil, err
		}
		for alias, to := range map[string]*string{model.Production: &m.Production, model.Shadow: &m.Shadow} {
			if *to, err = r.Resolve(model.Ref{Name: name, At: alias}); err != nil {
				return nil, nil, err
			}
			if err := refusals[model.Ref{Name: name, At: alias}]; err != nil {
				m.Refused = append(m.Refused, err.Error())
			}
		}
		slices.Sort(m.Refused)
		out = append(out, m)
	}
	var changes []web.ModelChange
	for _, c := range slices.Backward(r.Changes()) {
		changes = append(changes, told(c))
	}
	return out, changes, nil
}

func told(c model.Change) web.ModelChange {
	return web.ModelChange{At: c.At, By: c.By, Model: c.Model, Alias: c.Alias, From: c.From, To: c.To, Rollback: c.Back, Reason: c.Reason}
}

// ChangeModel lets an alias stand for another version, from the next board on.
func (b *backend) ChangeModel(ctx context.Context, o web.ModelChange) (web.ModelChange, error) {
	c, err := b.judges.change(ctx, model.Change{By: o.By, Model: o.Model, Alias: o.Alias, To: o.To, Back: o.Rollback, Reason: o.Reason})
	if err != nil {
		return o, meaning(err)
	}
	b.line.log.Info("another version judges", "model", c.Model, "alias", c.Alias, "from", c.From, "to", c.To, "by", c.By, "reason", strings.TrimSpace(c.Reason))
	return told(c), nil
}

func (b *backend) Disagreements(_ context.Context, limit int) ([]web.Disagreement, error) {
	found, err := b.shadow.disagreements(limit)
	return found, meaning(err)
}

func (b *backend) DisagreementPicture(_ context.Context, id string) ([]byte, error) {
	picture, err := b.store.Aside(id, "jpg")
	return picture, meaning(err)
}
