package main

import (
	"context"
	"fmt"
	"image"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"inspector"
	"inspector/code"
)

// byCode stands where a recipe's name does: each board's code names its recipe.
const byCode = "by-code"

// A boardCode is where a product's code is, and which texts are this product's.
type boardCode struct {
	Format  code.Format `yaml:"format"`
	Region  []int       `yaml:"region,omitempty,flow"` // left, top, right, bottom in pixels of the picture; default: all of it
	Pattern string      `yaml:"pattern"`               // of the whole text; the group serial is the board's
}

// A coding is a recipe's code, ready to be read.
type coding struct {
	recipe  string
	spot    code.Spot
	pattern *regexp.Regexp
}

// A reading is what the code on a board says.
type reading struct {
	text, serial string
	took         time.Duration
}

// addFaults says what is wrong with the keys.
func (c boardCode) addFaults(f *faults) {
	f.want(slices.Contains(code.Formats(), c.Format), "code.format", "%q is unknown; want one of %s", c.Format, strings.Trim(fmt.Sprint(code.Formats()), "[]"))
	f.want(c.Pattern != "", "code.pattern", "it is required: the texts that are this product's, such as 'MB-(?P<serial>[0-9]+)'")
	_, err := c.wholly()
	f.want(err == nil, "code.pattern", "%v", err)
	ok := len(c.Region) == 0 || len(c.Region) == 4 && 0 <= c.Region[0] && c.Region[0] < c.Region[2] && 0 <= c.Region[1] && c.Region[1] < c.Region[3]
	f.want(ok, "code.region", "%v; want left, top, right, bottom in pixels of the picture", c.Region)
	f.want(!code.Large(c.coding("").spot.Region), "code.region", "%v: %v", c.Region, code.ErrLarge)
}

// inside reports a region that reaches beyond the golden picture, if there is
// one, and that it must be given, if the picture is large.
func (c boardCode) inside(golden inspector.Pixels, from origin) error {
	r, whole := c.coding("").spot.Region, image.Rect(0, 0, golden.Width, golden.Height)
	switch {
	case len(golden.Data) == 0:
		return nil
	case r.Empty() && code.Large(whole):
		return from.fault("code.region", fmt.Errorf("it is required for pictures of %d x %d: %w", golden.Width, golden.Height, code.ErrLarge))
	case r.In(whole):
		return nil
	}
	return from.fault("code.region", fmt.Errorf("%v reaches beyond the golden picture of %d x %d", c.Region, golden.Width, golden.Height))
}

// wholly is the pattern for a whole text: a part that fits is not enough.
func (c boardCode) wholly() (*regexp.Regexp, error) {
	if _, err := regexp.Compile(c.Pattern); err != nil {
		return nil, err // in the user's own words
	}
	return regexp.Compile(`\A(?:` + c.Pattern + `)\z`)
}

// coding of a recipe whose faults were looked for.
func (c boardCode) coding(recipe string) coding {
	out := coding{recipe: recipe, spot: code.Spot{Format: c.Format}}
	out.pattern, _ = c.wholly()
	if r := c.Region; len(r) == 4 {
		out.spot.Region = image.Rect(r[0], r[1], r[2], r[3])
	}
	return out
}

// serial gives the one in a text of this recipe; not ok: the text is not.
func (c coding) serial(text string) (serial string, ok bool) {
	m := c.pattern.FindStringSubmatch(text)
	if m == nil {
		return "", false
	}
	if n := c.pattern.SubexpIndex("serial"); n > 0 {
		serial = m[n]
	}
	return serial, true
}

// A sighting is what one spot of a picture says.
type sighting struct {
	text string
	err  error
}

// named decides which of the recipes the sightings are of: one, or an error.
func named(codings []coding, seen map[code.Spot]sighting) (c coding, text string, err error) {
	var fits []coding
	var texts, unread []string
	known := map[code.Spot]bool{}
	for _, c := range codings {
		s := seen[c.spot]
		if _, ok := c.serial(s.text); s.err == nil && ok {
			fits = append(fits, c)
		}
		switch {
		case known[c.spot]:
		case s.err != nil:
			unread = append(unread, s.err.Error())
		default:
			texts = append(texts, s.text)
		}
		known[c.spot] = true
	}
	switch {
	case len(fits) == 1:
		return fits[0], seen[fits[0].spot].text, nil
	case len(fits) > 1:
		return c, seen[fits[0].spot].text, fmt.Errorf("the code says %.80q, which fits the recipes %s", texts, list(fits))
	case len(texts) > 0:
		return c, texts[0], fmt.Errorf("the code says %.80q, which fits none of the recipes %s", texts, list(codings))
	}
	return c, "", fmt.Errorf("no code names a recipe: %s", strings.Join(unread, "; "))
}

func list(codings []coding) string {
	var names []string
	for _, c := range codings {
		names = append(names, c.recipe)
	}
	return strings.Join(names, ", ")
}

// identify reads every spot where a recipe has its code, and gives the recipe
// that is named there.
func (j *judges) identify(ctx context.Context, px inspector.Pixels) (recipe string, r reading, err error) {
	begun := time.Now()
	seen := map[code.Spot]sighting{}
	var all []coding
	for _, name := range slices.Sorted(maps.Keys(j.codes)) {
		c := j.codes[name]
		all = append(all, c)
		if _, ok := seen[c.spot]; !ok {
			text, err := code.Read(ctx, px, c.spot)
			seen[c.spot] = sighting{text, err}
		}
	}
	r.took = time.Since(begun)
	if ctx.Err() != nil { // perhaps not all were read
		return "", r, context.Cause(ctx)
	}
	c, text, err := named(all, seen)
	r.text = text
	if err == nil {
		r.serial, _ = c.serial(text)
	}
	return c.recipe, r, err
}

// recognise reads the code on the board. If no recipe was asked for (p is nil),
// the code names it: the place that is given must be left, also with an error.
// A recipe without a code costs nothing. known is the serial that the asker gave.
func (j *judges) recognise(ctx context.Context, p *place, known string, px inspector.Pixels) (*place, reading, error) {
	var r reading
	var err error
	if p == nil {
		var name string
		if name, r, err = j.identify(ctx, px); err != nil {
			return nil, r, err
		}
		taken, err := j.take(name)
		if err != nil {
			return nil, r, err
		}
		p = &taken
	} else if c, ok := j.codes[p.name]; ok {
		if r, err = c.verify(ctx, px); err != nil {
			return p, r, err
		}
	}
	if known != "" && r.serial != "" && known != r.serial {
		return p, r, fmt.Errorf("the trigger says serial %q, and the code on the board %q", known, r.serial)
	}
	return p, r, nil
}

// verify reads the code of a board whose recipe is known.
func (c coding) verify(ctx context.Context, px inspector.Pixels) (r reading, err error) {
	begun := time.Now()
	r.text, err = code.Read(ctx, px, c.spot)
	r.took = time.Since(begun)
	if err != nil {
		return r, err
	}
	serial, ok := c.serial(r.text)
	if !ok {
		return r, fmt.Errorf("the code says %.80q, which does not fit recipe %s", r.text, c.recipe)
	}
	r.serial = serial
	return r, nil
}

// reads reports that recognise has a code to read.
func (j *judges) reads(p *place) bool {
	if p == nil {
		return true
	}
	_, ok := j.codes[p.name]
	return ok
}

// recognise reads the code on the board, before the model sees it, and no
// longer than the takt limit allows.
func (l *line) recognise(ctx context.Context, j *job) error {
	p := j.place.Load()
	if !j.deadline.IsZero() && l.judges.reads(p) {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, j.deadline, l.late(j))
		defer cancel()
	}
	p, r, err := l.judges.recognise(ctx, p, j.trigger.Serial, j.frame.Pixels)
	if p != nil {
		j.place.Store(p)
	}
	if r.took > 0 {
		j.code.Store(&r)
	}
	return err
}

// overdue says that a board whose code named its recipe has no verdict within
// that recipe's takt limit. The takt clock watches the others.
func overdue(j *job) error {
	p := j.place.Load()
	if p == nil || j.deadline.IsZero() || p.recipe.Takt == 0 || time.Since(j.trigger.At) <= p.recipe.Takt {
		return nil
	}
	return fmt.Errorf("no verdict within the takt limit of %v", p.recipe.Takt)
}
