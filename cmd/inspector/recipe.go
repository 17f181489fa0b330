package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

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
	Golden    string            `yaml:"golden,omitempty"`
	Goldens   []string          `yaml:"goldens,omitempty"`   // more of them: the one most like the board counts
	Tolerance string            `yaml:"tolerance,omitempty"` // picture of how much good boards differ at each place
	Align     *bool             `yaml:"align,omitempty"`     // lay the board over the golden one; default: true
	Etch      *int              `yaml:"etch,omitempty"`      // pixels of the model's picture; default: 1
	Copper    classify.Tone     `yaml:"copper,omitempty"`    // dark or bright
	Limits    *limits           `yaml:"limits,omitempty"`    // default: the model's
	Classes   map[string]limits `yaml:"classes,omitempty"`   // per class, where they differ
	Inspect   []region          `yaml:"inspect,omitempty"`   // default: everything
	Ignore    []region          `yaml:"ignore,omitempty"`
	Smallest  float32           `yaml:"smallest,omitempty"` // pixels of the golden picture
	Takt      time.Duration     `yaml:"takt,omitempty"`     // default: trigger.takt
	Model     string            `yaml:"model,omitempty"`    // NAME[@VERSION or @ALIAS]; default: model.name
	Code      *boardCode        `yaml:"code,omitempty"`     // printed on the board; default: none is read

	drawn func() (inspector.Pixels, error) // the golden board, if it has no file
	from  origin
}

// limits are the scores at and above which a board fails, and below which it
// passes.
type limits struct {
	Fail float32 `yaml:"fail"`
	Pass float32 `yaml:"pass"`
}

// A region is part of the golden picture: a rectangle [left, top, right,
// bottom] or a polygon [[x, y], [x, y], [x, y], ...], in its pixels.
type region struct{ outline classify.Polygon }

// UnmarshalYAML reads either form.
func (r *region) UnmarshalYAML(n *yaml.Node) error {
	var box []float32
	if n.Decode(&box) == nil {
		b := inspector.Box{}
		if len(box) == 4 {
			b = inspector.Box{Left: box[0], Top: box[1], Right: box[2], Bottom: box[3]}
		}
		if b.Left < b.Right && b.Top < b.Bottom {
			r.outline = classify.Rectangle(b)
			return nil
		}
	}
	var points [][]float32
	if err := n.Decode(&points); err == nil && len(points) >= 3 && !slices.ContainsFunc(points, func(p []float32) bool { return len(p) != 2 }) {
		r.outline = nil
		for _, p := range points {
			r.outline = append(r.outline, inspector.Point{X: p[0], Y: p[1]})
		}
		return nil
	}
	return fmt.Errorf("line %d: a region is a rectangle [left, top, right, bottom] or a polygon [[x, y], [x, y], [x, y]] of three points or more, in pixels of the golden picture", n.Line)
}

// MarshalYAML writes the polygon.
func (r region) MarshalYAML() (any, error) {
	var points [][]float32
	for _, p := range r.outline {
		points = append(points, []float32{p.X, p.Y})
	}
	return points, nil
}

// readRecipe gives the recipe of a file, or every fault of it at once, each
// with file and line.
func readRecipe(file string) (r recipe, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return r, fmt.Errorf("recipe: %w", err)
	}
	r, err = parseRecipe(file, text)
	for _, picture := range append([]*string{&r.Golden, &r.Tolerance}, pointers(r.Goldens)...) {
		if *picture != "" && !filepath.IsAbs(*picture) {
			*picture = filepath.Join(filepath.Dir(file), *picture)
		}
	}
	r.Copper = cmp.Or(r.Copper, classify.Dark)
	if err != nil {
		return r, fmt.Errorf("recipe: %w", err)
	}
	return r, nil
}

// missing reports pictures that are named and not there.
func (r recipe) missing() error {
	var errs []error
	check := func(key, file string) {
		if _, err := os.Stat(file); file != "" && errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, r.from.fault(key, &noPictureError{file}))
		}
	}
	if !strings.Contains(r.Golden, "{name}") {
		check("golden", r.Golden)
	}
	for _, file := range r.Goldens {
		check("goldens", file)
	}
	check("tolerance", r.Tolerance)
	return errors.Join(errs...)
}

// A noPictureError says that a picture of a recipe is not there.
type noPictureError struct{ file string }

func (e *noPictureError) Error() string {
	return fmt.Sprintf("there is no picture %s; put it there or name another", e.file)
}

func (*noPictureError) Unwrap() error { return fs.ErrNotExist }

func pointers(s []string) (out []*string) {
	for i := range s {
		out = append(out, &s[i])
	}
	return out
}

func parseRecipe(file string, text []byte) (r recipe, err error) {
	from, errs := decodeYAML(file, text, &r, "inspector.example.yaml ends with the keys of a recipe")
	r.from = from
	for _, f := range r.faults() {
		errs = append(errs, from.fault(f.key, errors.New(f.msg)))
	}
	return r, errors.Join(errs...)
}

// faults says everything that is wrong with a recipe by itself; what depends
// on the model or on the golden picture is found when it is put to use.
func (r recipe) faults() (f faults) {
	f.want(r.Copper == "" || r.Copper == classify.Dark || r.Copper == classify.Bright, "copper", "%q is unknown; want dark or bright", r.Copper)
	named := strings.Contains(r.Golden, "{name}")
	f.want(len(r.Goldens) == 0 || r.Golden != "" && !named, "goldens", "more golden pictures need a first one in golden, without {name}")
	f.want(r.Tolerance == "" || r.Golden != "" && !named, "tolerance", "it belongs to one golden picture: give it in golden, without {name}")
	check := func(key string, l limits) {
		f.want(0 < l.Pass && l.Pass <= l.Fail && l.Fail < 1, key, "fail %v and pass %v; want 0 < pass <= fail < 1", l.Fail, l.Pass)
	}
	if r.Limits != nil {
		check("limits", *r.Limits)
	}
	for _, class := range slices.Sorted(maps.Keys(r.Classes)) {
		check("classes."+class, r.Classes[class])
	}
	f.want(r.Smallest >= 0 && !math.IsInf(float64(r.Smallest), 0), "smallest", "%v; want a size in pixels, 0 or more", r.Smallest)
	f.want(0 <= r.etch() && r.etch() <= classify.MostEtch, "etch", "%d; want 0 to %d pixels", r.etch(), classify.MostEtch)
	if r.Code != nil {
		r.Code.addFaults(&f)
	}
	f.want(r.Takt >= 0, "takt", "%v is negative; want a duration such as 500ms", r.Takt)
	return f
}

func (r recipe) etch() int {
	if r.Etch == nil {
		return 1
	}
	return *r.Etch
}

// fault is an error about a key of the recipe, and says where that is.
func (r recipe) fault(name, key string, err error) error {
	if r.from.file == "" {
		return fmt.Errorf("recipe %s: %s: %w", name, key, err)
	}
	return r.from.fault(key, err)
}

// settings is what the recipe asks of a classifier that compares with golden.
func (r recipe) settings(name string, golden inspector.Pixels) (classify.Recipe, error) {
	out := classify.Recipe{
		Name: name, Golden: golden, Align: r.Align == nil || *r.Align, Copper: r.Copper, Etch: r.etch(),
		ClassLimits: map[string]classify.Limits{}, Smallest: r.Smallest,
	}
	var errs []error
	for _, file := range r.Goldens {
		p, err := readGolden(file)
		if err != nil {
			errs = append(errs, r.fault(name, "goldens", err))
		}
		out.Goldens = append(out.Goldens, p)
	}
	var err error
	if out.Tolerance, err = readGolden(r.Tolerance); err != nil {
		errs = append(errs, r.fault(name, "tolerance", err))
	}
	if r.Code != nil {
		errs = append(errs, r.Code.inside(golden, r.from))
	}
	for _, part := range r.Inspect {
		out.Inspect = append(out.Inspect, part.outline)
	}
	for _, part := range r.Ignore {
		out.Ignore = append(out.Ignore, part.outline)
	}
	if r.Limits != nil {
		out.Limits = classify.Limits(*r.Limits)
	}
	for class, l := range r.Classes {
		out.ClassLimits[class] = classify.Limits(l)
	}
	return out, errors.Join(errs...)
}

// readGolden gives no pixels for no file: a model may need none.
func readGolden(file string) (inspector.Pixels, error) {
	if file == "" {
		return inspector.Pixels{}, nil
	}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return inspector.Pixels{}, &noPictureError{file}
	} else if err != nil {
		return inspector.Pixels{}, fmt.Errorf("picture: %w", err)
	}
	p, err := camera.Decode(data, maxStill)
	if err != nil {
		return p, fmt.Errorf("picture %s: %w", file, err)
	}
	return p, nil
}
