package evaluate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"inspector"
)

const maxCOCO = 512 << 20 // bytes of one JSON

// cocoFile is where a folder keeps its annotations; empty: nowhere.
func cocoFile(dir, split string) string {
	candidates := []string{"annotations.json", "_annotations.coco.json", "annotations/annotations.json"}
	if split != "" {
		candidates = nil
	}
	for _, s := range splits(split) {
		candidates = append(candidates, s+".json", s+"/_annotations.coco.json", "annotations/"+s+".json", "annotations/instances_"+s+".json", "annotations/instances_"+s+"2017.json")
	}
	for _, c := range candidates {
		if file := filepath.Join(dir, c); exists(file) {
			return file
		}
	}
	return ""
}

// readCOCO reads a JSON of images, annotations (boxes) and categories. An
// image without an annotation is a good board.
func readCOCO(path string, o Options) (d Dataset, err error) {
	file, root := path, filepath.Dir(path)
	if filepath.Ext(path) != ".json" {
		root = path
		if file = cocoFile(path, o.Split); file == "" {
			return d, &DataError{path, 0, "no annotations.json in it: name the JSON file itself"}
		}
	}
	data, err := readText(file, maxCOCO)
	if err != nil {
		return d, err
	}
	c, err := parseCOCO(file, data)
	if err != nil {
		return d, err
	}
	for _, k := range c.Categories {
		d.Classes = append(d.Classes, k.Name)
	}
	for _, i := range c.Images {
		s := Sample{defects: i.defects}
		if s.Picture = pictureOf(i.File, filepath.Dir(file), root); s.Picture == "" {
			return d, &DataError{file, i.line(data), fmt.Sprintf("the picture %q is neither beside it nor in images: copy it there, or correct file_name", i.File)}
		}
		if s.Golden, err = goldenOf(root, o.Golden, s.Picture); err != nil {
			return d, err
		}
		s.Name = nameOf(root, s.Picture)
		d.Samples = append(d.Samples, s)
	}
	return d, nil
}

func pictureOf(file string, dirs ...string) string {
	for _, dir := range dirs {
		for _, between := range []string{"", "images", "..", "../images", "train2017", "val2017", "../train2017", "../val2017"} {
			if p := filepath.Join(dir, between, file); exists(p) {
				return p
			}
		}
	}
	return ""
}

// place is where an element begins in the file.
type place int

func (p place) line(data []byte) int {
	return 1 + bytes.Count(data[:min(int(p), len(data))], []byte("\n"))
}

type cocoImage struct {
	ID      int64  `json:"id"`
	File    string `json:"file_name"`
	defects []inspector.Defect
	place
}

type cocoAnnotation struct {
	Image    int64     `json:"image_id"`
	Category int64     `json:"category_id"`
	Box      []float64 `json:"bbox"` // left, top, width, height
	Crowd    int       `json:"iscrowd"`
	place
}

type cocoCategory struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
	place
}

type coco struct {
	Images      []cocoImage
	annotations []cocoAnnotation
	Categories  []cocoCategory
}

// parseCOCO reads the file and puts the annotations to their images; a crowd
// (iscrowd) is left out.
func parseCOCO(name string, data []byte) (c coco, err error) {
	if err := c.decode(data); err != nil {
		var at *elementError
		if errors.As(err, &at) {
			return c, &DataError{name, at.line(data), fmt.Sprintf("%v: want COCO's detection format, {\"images\": [], \"annotations\": [], \"categories\": []}", at.err)}
		}
		return c, err
	}
	classes := map[int64]string{}
	for _, k := range c.Categories {
		if _, twice := classes[k.ID]; twice || k.Name == "" {
			return c, &DataError{name, k.line(data), fmt.Sprintf("category %d %q comes twice or has no name: give each its own id and name", k.ID, k.Name)}
		}
		classes[k.ID] = k.Name
	}
	images := map[int64]int{}
	for i, m := range c.Images {
		if _, twice := images[m.ID]; twice || !filepath.IsLocal(m.File) {
			return c, &DataError{name, m.line(data), fmt.Sprintf("image %d %q comes twice or its file_name is no path below the data set: correct it", m.ID, m.File)}
		}
		images[m.ID] = i
	}
	for _, a := range c.annotations {
		i, ok := images[a.Image]
		class := classes[a.Category]
		switch {
		case !ok:
			return c, &DataError{name, a.line(data), fmt.Sprintf("an annotation of image %d, which is not in images: remove it or add the image", a.Image)}
		case class == "":
			return c, &DataError{name, a.line(data), fmt.Sprintf("an annotation of category %d, which is not in categories: remove it or add the category", a.Category)}
		case a.Crowd != 0:
			continue
		case !a.sane() || empty(a.box()):
			return c, &DataError{name, a.line(data), fmt.Sprintf("bbox %v: want [left, top, width, height] in pixels, wider and higher than 0", a.Box)}
		}
		c.Images[i].defects = append(c.Images[i].defects, inspector.Defect{Class: class, Score: 1, Box: a.box()})
	}
	return c, nil
}

func (a cocoAnnotation) sane() bool {
	return len(a.Box) == 4 && !slices.ContainsFunc(a.Box, func(v float64) bool { return math.Abs(v) > 1e6 })
}

func (a cocoAnnotation) box() inspector.Box {
	return inspector.Box{Left: float32(a.Box[0]), Top: float32(a.Box[1]), Right: float32(a.Box[0] + a.Box[2]), Bottom: float32(a.Box[1] + a.Box[3])}
}

// An elementError is what is wrong with the element that begins at place.
type elementError struct {
	place
	err error
}

func (e *elementError) Error() string { return e.err.Error() }

// decode reads the three lists and skips the rest of the object.
func (c *coco) decode(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	fail := func(err error) error { return &elementError{place(d.InputOffset()), err} }
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fail(errors.Join(errors.New("no JSON object"), err))
	}
	found := map[string]bool{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return fail(err)
		}
		name, _ := key.(string)
		found[name] = true
		switch name {
		case "images":
			c.Images, err = elements[cocoImage](d, data, func(m *cocoImage, p place) { m.place = p })
		case "annotations":
			c.annotations, err = elements[cocoAnnotation](d, data, func(a *cocoAnnotation, p place) { a.place = p })
		case "categories":
			c.Categories, err = elements[cocoCategory](d, data, func(k *cocoCategory, p place) { k.place = p })
		default:
			err = d.Decode(new(json.RawMessage))
		}
		var at *elementError
		if err != nil && !errors.As(err, &at) {
			err = fail(err)
		}
		if err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return fail(err)
	}
	for _, key := range []string{"images", "annotations", "categories"} {
		if !found[key] {
			return fail(fmt.Errorf("there is no list %q", key))
		}
	}
	return nil
}

// elements reads a list and tells each element where it begins.
func elements[T any](d *json.Decoder, data []byte, at func(*T, place)) (out []T, err error) {
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return nil, errors.Join(errors.New("no list"), err)
	}
	for d.More() {
		from := int(d.InputOffset())
		for from < len(data) && bytes.IndexByte([]byte(", \t\r\n"), data[from]) >= 0 {
			from++
		}
		var v T
		if err := d.Decode(&v); err != nil {
			return nil, &elementError{place(from), err}
		}
		at(&v, place(from))
		out = append(out, v)
	}
	_, err = d.Token()
	return out, err
}
