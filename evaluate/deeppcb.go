package evaluate

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"inspector"
)

// deepPCBClasses are the data set's numbers 1 to 6.
var deepPCBClasses = []string{"open", "short", "mousebite", "spur", "copper", "pin-hole"}

const maxAnnotation = 4 << 20 // bytes of one board's annotation

// readDeepPCB reads what a list names (test.txt, trainval.txt), or without one
// every ID_test picture below the folder with its ID_temp and ID.csv or ID.txt.
func readDeepPCB(path string, o Options) (d Dataset, err error) {
	d.Classes = slices.Clone(deepPCBClasses)
	list := path
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		list = ""
		for _, split := range splits(o.Split) {
			if file := filepath.Join(path, split+".txt"); list == "" && exists(file) {
				list = file
			}
		}
		if list == "" && o.Split != "" {
			return d, &DataError{path, 0, fmt.Sprintf("there is no %s.txt: name a split that has a list", o.Split)}
		}
	}
	if list != "" {
		d.Samples, err = listedPairs(list)
		return d, err
	}
	all, err := pictures(path)
	if err != nil {
		return d, err
	}
	for _, picture := range all {
		stem, ok := strings.CutSuffix(strings.TrimSuffix(picture, filepath.Ext(picture)), "_test")
		if !ok {
			continue
		}
		s, err := readPair(path, stem, filepath.Ext(picture), annotationOf(stem))
		if err != nil {
			return d, err
		}
		d.Samples = append(d.Samples, s)
	}
	return d, nil
}

// hasPairs reports whether a folder is of DeepPCB: a list of pairs, or pairs.
func hasPairs(dir string) bool {
	for _, split := range splits("") {
		if data, err := readText(filepath.Join(dir, split+".txt"), 64<<20); err == nil {
			first, _, _ := strings.Cut(string(data), "\n")
			if f := strings.Fields(first); len(f) == 2 && isPicture(f[0]) {
				return true
			}
		}
	}
	all, err := pictures(dir)
	return err == nil && slices.ContainsFunc(all, func(p string) bool {
		return strings.HasSuffix(strings.TrimSuffix(p, filepath.Ext(p)), "_temp")
	})
}

// annotationOf is the file of a pair's boxes: beside it, or as DeepPCB has it
// in the folder of the same name with _not.
func annotationOf(stem string) string {
	for _, file := range []string{stem + ".csv", stem + ".txt", filepath.Dir(stem) + "_not/" + filepath.Base(stem) + ".txt"} {
		if exists(file) {
			return file
		}
	}
	return stem + ".csv"
}

// listedPairs reads lines of PICTURE ANNOTATION, where DeepPCB leaves _test out
// of the picture's name.
func listedPairs(list string) (out []Sample, err error) {
	data, err := readText(list, 64<<20)
	if err != nil {
		return nil, err
	}
	pairs, err := parseList(list, data)
	if err != nil {
		return nil, err
	}
	root := filepath.Dir(list)
	for _, p := range pairs {
		ext := filepath.Ext(p.picture)
		stem := strings.TrimSuffix(strings.TrimSuffix(p.picture, ext), "_test")
		s, err := readPair(root, filepath.Join(root, stem), ext, filepath.Join(root, p.annotation))
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", list, p.line, err)
		}
		out = append(out, s)
	}
	return out, nil
}

type listed struct {
	picture, annotation string
	line                int
}

func parseList(name string, data []byte) (out []listed, err error) {
	for i, line := range bytes.Split(data, []byte("\n")) {
		f := strings.Fields(string(line))
		switch {
		case len(f) == 0:
			continue
		case len(f) != 2 || !isPicture(f[0]) || !filepath.IsLocal(f[0]) || !filepath.IsLocal(f[1]):
			return nil, &DataError{name, i + 1, fmt.Sprintf("%.80q: want PICTURE ANNOTATION, paths below the list's folder", line)}
		}
		out = append(out, listed{f[0], f[1], i + 1})
	}
	return out, nil
}

func readPair(root, stem, ext, annotation string) (Sample, error) {
	s := Sample{Name: nameOf(root, stem+ext), Picture: stem + "_test" + ext, Golden: stem + "_temp" + ext}
	for _, file := range []string{s.Picture, s.Golden} {
		if !exists(file) {
			return s, &DataError{file, 0, "the picture is not there: a pair is ID_test" + ext + " and ID_temp" + ext}
		}
	}
	data, err := readText(annotation, maxAnnotation)
	if err != nil {
		return s, err
	}
	s.defects, err = parseBoxes(annotation, data)
	return s, err
}

// parseBoxes reads lines of x1, y1, x2, y2 and class (1 to 6), with commas or
// spaces between; a first line that begins with a letter is a header.
func parseBoxes(name string, data []byte) (out []inspector.Defect, err error) {
	for i, line := range bytes.Split(data, []byte("\n")) {
		text := strings.TrimSpace(string(line))
		if text == "" || i == 0 && (text[0] == 'x' || text[0] == 'X') {
			continue
		}
		d, err := parseBox(text)
		if err != nil {
			return nil, &DataError{name, i + 1, fmt.Sprintf("%.80q: %v; want x1 y1 x2 y2 class, pixels and a class of 1 to %d", text, err, len(deepPCBClasses))}
		}
		out = append(out, d)
	}
	return out, nil
}

func parseBox(text string) (d inspector.Defect, err error) {
	f := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == ';' })
	if len(f) != 5 {
		return d, fmt.Errorf("%d numbers", len(f))
	}
	var v [5]float64
	for i := range v {
		if v[i], err = number(f[i]); err != nil {
			return d, err
		}
	}
	class := int(v[4])
	box := inspector.Box{Left: float32(v[0]), Top: float32(v[1]), Right: float32(v[2]), Bottom: float32(v[3])}
	switch {
	case float64(class) != v[4] || class < 1 || class > len(deepPCBClasses):
		return d, fmt.Errorf("class %s", f[4])
	case empty(box):
		return d, errors.New("the box is empty or inside out")
	}
	return inspector.Defect{Class: deepPCBClasses[class-1], Score: 1, Box: box}, nil
}

// number is a finite number of a size that pictures have.
func number(text string) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || math.Abs(v) > 1e6 {
		return 0, fmt.Errorf("%.20q is no number of pixels", text)
	}
	return v, nil
}
