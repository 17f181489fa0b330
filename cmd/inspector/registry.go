package main

import (
	"context"
	"fmt"
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

// damaged says which versions could not be loaded, and why: their manifests,
// hashes, shapes and signatures are looked at, and no runtime is asked. Of an
// appliance at an address of its own nobody knows here.
func (o order) damaged(all []web.Model) (map[model.Ref]error, error) {
	out := map[model.Ref]error{}
	if o.address != o.config.address("") {
		return out, nil
	}
	trust, err := model.ParseTrust(o.config.Model.TrustedKeys)
	if err != nil {
		return nil, fmt.Errorf("model.trusted_keys: %w", err)
	}
	r, err := openRegistry(o.config)
	if err != nil {
		return nil, err
	}
	for _, m := range all {
		for _, v := range m.Versions {
			if _, err := r.Load(m.Name, v, trust); err != nil {
				out[model.Ref{Name: m.Name, At: v}] = err
			}
		}
	}
	return out, nil
}
