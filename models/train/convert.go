package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"inspector"
	"inspector/board"
	"inspector/camera"
	"inspector/classify"
	"inspector/evaluate"
)

// A source is a data set of pictures with golden boards.
type source struct {
	path    string
	options evaluate.Options
	rename  string
	copper  classify.Tone
}

// maxPixels of a picture in a data set.
const maxPixels = 100e6

// pairs sends those of the data set, in order of name, as the model sees them;
// without those whose picture the appliance refuses.
func (s source) pairs() <-chan pair {
	out := make(chan pair)
	go func() {
		defer close(out)
		samples, err := s.open()
		if err != nil {
			out <- pair{err: err}
		}
		for _, sample := range samples {
			p, unsure, err := s.pair(sample)
			if unsure != nil {
				fmt.Fprintf(os.Stderr, "%s is left out: the appliance would be unsure: %v\n", sample.Name, unsure)
				continue
			}
			p.err = err
			out <- p
		}
	}()
	return out
}

func (s source) open() ([]evaluate.Sample, error) {
	if s.rename != "" {
		s.options.Rename = map[string]string{}
		for _, each := range strings.Split(s.rename, ",") {
			old, name, ok := strings.Cut(each, "=")
			if !ok {
				return nil, fmt.Errorf("-rename: %q; want OLD=NEW,OLD=NEW", each)
			}
			s.options.Rename[old] = name
		}
	}
	set, err := evaluate.Open(s.path, s.options)
	if err != nil {
		return nil, err
	}
	for _, class := range set.Classes {
		if !slices.Contains(board.Classes(), class) {
			return nil, fmt.Errorf("%s: the class %q is none of %q: say with -rename which it is", s.path, class, board.Classes())
		}
	}
	for _, sample := range set.Samples {
		if sample.Golden == "" || sample.Label != "" {
			return nil, fmt.Errorf("%s: %s: training needs boxes and a golden board: say with -golden where it is", s.path, sample.Name)
		}
	}
	return set.Samples, nil
}

// pair reads one board; unsure says why the appliance would not judge it.
func (s source) pair(sample evaluate.Sample) (p pair, unsure, err error) {
	var plates [2][]byte
	for i, name := range []string{sample.Picture, sample.Golden} {
		data, err := os.ReadFile(name)
		if err != nil {
			return p, nil, err
		}
		px, err := camera.Decode(data, maxPixels)
		if err != nil {
			return p, nil, fmt.Errorf("%s: %w", name, err)
		}
		if i == 0 {
			if p.defects, err = sample.Truth(px.Width, px.Height); err != nil {
				return p, nil, err
			}
			scale(p.defects, size/float32(px.Width), size/float32(px.Height))
		}
		if px, unsure = classify.Seen(px, size, size, s.copper); unsure != nil {
			return p, unsure, nil
		}
		plates[i] = px.Data
	}
	p.tested, p.golden = plates[0], plates[1]
	return p, nil, nil
}

// scale takes boxes from the picture to the model's.
func scale(defects []inspector.Defect, x, y float32) {
	for i, d := range defects {
		defects[i].Box = inspector.Box{Left: d.Box.Left * x, Top: d.Box.Top * y, Right: d.Box.Right * x, Bottom: d.Box.Bottom * y}
	}
}
