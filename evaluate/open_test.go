package evaluate

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"inspector"
)

// folder writes files, name to content, and gives their folder.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func box(l, t, r, b float32) inspector.Box {
	return inspector.Box{Left: l, Top: t, Right: r, Bottom: b}
}

func defect(class string, score, l, t, r, b float32) inspector.Defect {
	return inspector.Defect{Class: class, Score: score, Box: box(l, t, r, b)}
}

// A board as a table of tests has it.
type row struct {
	name, picture, golden, label string
	truth                        []inspector.Defect // of a picture of 100 x 200
}

var formats = []struct {
	name    string
	files   map[string]string
	at      string
	options Options
	format  Format
	classes []string
	rows    []row
}{
	{
		name: "pairs with csv", format: DeepPCB, classes: deepPCBClasses,
		files: map[string]string{
			"b_test.png": "", "b_temp.png": "", "b.csv": "x1,y1,x2,y2,class\n10,20,30,40,3\n1,2,3,4,6\n",
			"a_test.png": "", "a_temp.png": "", "a.csv": "x1,y1,x2,y2,class\n",
		},
		rows: []row{
			{"a", "a_test.png", "a_temp.png", "", nil},
			{"b", "b_test.png", "b_temp.png", "", []inspector.Defect{defect("mousebite", 1, 10, 20, 30, 40), defect("pin-hole", 1, 1, 2, 3, 4)}},
		},
	},
	{
		name: "DeepPCB as published", format: DeepPCB, classes: deepPCBClasses,
		files: map[string]string{
			"trainval.txt": "group1/1/11.jpg group1/1_not/11.txt\n", "test.txt": "group1/1/12.jpg group1/1_not/12.txt\n",
			"group1/1/11_test.jpg": "", "group1/1/11_temp.jpg": "", "group1/1_not/11.txt": "",
			"group1/1/12_test.jpg": "", "group1/1/12_temp.jpg": "", "group1/1_not/12.txt": "90 20 130 40 1\r\n",
		},
		rows: []row{{"group1/1/12", "group1/1/12_test.jpg", "group1/1/12_temp.jpg", "", []inspector.Defect{defect("open", 1, 90, 20, 100, 40)}}},
	},
	{
		name: "DeepPCB's other split", format: DeepPCB, classes: deepPCBClasses, options: Options{Split: "trainval"},
		files: map[string]string{
			"trainval.txt": "1/11.jpg 1_not/11.txt\n", "test.txt": "", "1/11_test.jpg": "", "1/11_temp.jpg": "", "1_not/11.txt": "",
		},
		rows: []row{{"1/11", "1/11_test.jpg", "1/11_temp.jpg", "", nil}},
	},
	{
		name: "DeepPCB's folders without a list", format: DeepPCB, classes: deepPCBClasses,
		files: map[string]string{"1/11_test.jpg": "", "1/11_temp.jpg": "", "1_not/11.txt": "1 2 3 4 2"},
		rows:  []row{{"1/11", "1/11_test.jpg", "1/11_temp.jpg", "", []inspector.Defect{defect("short", 1, 1, 2, 3, 4)}}},
	},
	{
		name: "COCO", format: COCO, classes: []string{"open", "hole"}, options: Options{Golden: "gold/{name}.png", Rename: map[string]string{"pin_hole": "hole"}},
		files: map[string]string{
			"annotations.json": `{"info": {"x": [1]}, "images": [{"id": 7, "file_name": "p_1.png"}, {"id": 8, "file_name": "p_2.png"}],
				"categories": [{"id": 1, "name": "open"}, {"id": 2, "name": "pin_hole"}],
				"annotations": [{"image_id": 8, "category_id": 2, "bbox": [10, 20, 30, 40.5]}, {"image_id": 8, "category_id": 1, "bbox": [], "iscrowd": 1}]}`,
			"images/p_1.png": "", "images/p_2.png": "", "gold/p.png": "",
		},
		rows: []row{
			{"images/p_1", "images/p_1.png", "gold/p.png", "", nil},
			{"images/p_2", "images/p_2.png", "gold/p.png", "", []inspector.Defect{defect("hole", 1, 10, 20, 40, 60.5)}},
		},
	},
	{
		name: "YOLO", format: YOLO, classes: []string{"open", "short"},
		files: map[string]string{
			"data.yaml":        "path: ../elsewhere\ntrain: images/train\nval: images/val\nnames:\n  0: open\n  1: short\nnc: 2\n",
			"images/val/a.jpg": "", "labels/val/a.txt": "1 0.5 0.5 0.2 0.1\n0 0.1 0.1 0.3 0.1 0.3 0.2\n", "images/val/b.jpg": "", "images/train/c.jpg": "",
			"goldens/a.png": "", "goldens/b.jpg": "",
		},
		rows: []row{
			{"images/val/a", "images/val/a.jpg", "goldens/a.png", "", []inspector.Defect{defect("short", 1, 40, 90, 60, 110), defect("open", 1, 10, 20, 30, 40)}},
			{"images/val/b", "images/val/b.jpg", "goldens/b.jpg", "", nil},
		},
	},
	{
		name: "YOLO as others export it", format: YOLO, classes: []string{"open"}, options: Options{Golden: "gold.png"},
		files: map[string]string{
			"data.yaml": "names: [open]\ntrain: ../train/images\nval: [../valid/images]\n", "gold.png": "",
			"train/images/a.jpg": "", "valid/images/b.jpg": "", "valid/labels/b.txt": "",
		},
		rows: []row{{"valid/images/b", "valid/images/b.jpg", "gold.png", "", nil}},
	},
	{
		name: "a folder for each label", format: Folders, classes: []string{"defective"}, options: Options{Good: "defect_free"},
		files: map[string]string{"val/defective/x.png": "", "val/defect_free/y.PNG": "", "train/defective/z.png": "", "val/defective/notes.txt": ""},
		rows: []row{
			{"defect_free/y", "val/defect_free/y.PNG", "", "defect_free", nil},
			{"defective/x", "val/defective/x.png", "", "defective", []inspector.Defect{defect("defective", 1, 0, 0, 100, 200)}},
		},
	},
}

func TestFormats(t *testing.T) {
	for _, c := range formats {
		t.Run(c.name, func(t *testing.T) {
			dir := folder(t, c.files)
			d, err := Open(filepath.Join(dir, c.at), c.options)
			if err != nil {
				t.Fatal(err)
			}
			if d.Format != c.format || !slices.Equal(d.Classes, c.classes) || len(d.Samples) != len(c.rows) || d.Labels != (c.format == Folders) {
				t.Fatalf("%s, classes %q, %d samples; want %s, %q, %d", d.Format, d.Classes, len(d.Samples), c.format, c.classes, len(c.rows))
			}
			for i, want := range c.rows {
				s := d.Samples[i]
				golden := want.golden
				if golden != "" {
					golden = filepath.Join(dir, golden)
				}
				if s.Name != want.name || s.Picture != filepath.Join(dir, want.picture) || s.Golden != golden || s.Label != want.label || s.Good() != (len(want.truth) == 0) {
					t.Errorf("sample %d is %+v; want %+v", i, s, want)
				}
				truth, err := s.Truth(100, 200)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.EqualFunc(truth, want.truth, alike) {
					t.Errorf("sample %d has %+v; want %+v", i, truth, want.truth)
				}
			}
		})
	}
}

// alike allows for the rounding of float32.
func alike(a, b inspector.Defect) bool {
	near := func(x, y float32) bool { return x-y < 1e-3 && y-x < 1e-3 }
	return a.Class == b.Class && a.Score == b.Score && near(a.Box.Left, b.Box.Left) && near(a.Box.Top, b.Box.Top) && near(a.Box.Right, b.Box.Right) && near(a.Box.Bottom, b.Box.Bottom)
}

// Every fault names the file, the line where there is one, and what to do.
func TestFaults(t *testing.T) {
	pair := func(csv string) map[string]string {
		return map[string]string{"a_test.png": "", "a_temp.png": "", "a.csv": csv}
	}
	coco := func(images, annotations string) map[string]string {
		return map[string]string{"p.png": "", "annotations.json": "{\n\"images\": [" + images + "],\n\"categories\": [{\"id\": 1, \"name\": \"open\"}],\n\"annotations\": [\n" + annotations + "]}"}
	}
	image := `{"id": 1, "file_name": "p.png"}`
	for name, c := range map[string]struct {
		files   map[string]string
		options Options
		at      string // of the data set
		want    string // the error's beginning, below the folder
		remedy  string
	}{
		"nothing":              {map[string]string{"readme": ""}, Options{}, "", ": it is no data set", "want pairs"},
		"no such file type":    {map[string]string{"readme": ""}, Options{}, "readme", "/readme: it is no data set", "want a folder"},
		"too few numbers":      {pair("x1,y1,x2,y2,class\n1,2,3,4,5\n1,2,3,4\n"), Options{}, "", "/a.csv:3: ", "want x1 y1 x2 y2 class"},
		"class 7":              {pair("1,2,3,4,7\n"), Options{}, "", "/a.csv:1: ", "class of 1 to 6"},
		"class 1.5":            {pair("1,2,3,4,1.5\n"), Options{}, "", "/a.csv:1: ", "class of 1 to 6"},
		"inside out":           {pair("3,2,1,4,1\n"), Options{}, "", "/a.csv:1: ", "inside out"},
		"not a number":         {pair("1,NaN,3,4,1\n"), Options{}, "", "/a.csv:1: ", "no number of pixels"},
		"no annotation":        {map[string]string{"a_test.png": "", "a_temp.png": ""}, Options{}, "", "/a.csv: the file is not there", "copy it"},
		"no golden":            {map[string]string{"a_test.png": "", "a.csv": "", "b_temp.png": ""}, Options{}, "", "/a_temp.png: the picture is not there", "ID_temp.png"},
		"list of no pair":      {map[string]string{"test.txt": "1/2.jpg 1/2.txt\n1/3.jpg\n"}, Options{}, "", "/test.txt:2: ", "want PICTURE ANNOTATION"},
		"list that escapes":    {map[string]string{"test.txt": "../2.jpg 1/2.txt\n"}, Options{}, "", "/test.txt:1: ", "paths below"},
		"list of no picture":   {map[string]string{"test.txt": "\n1/2.jpg 1/2.txt\n"}, Options{Format: DeepPCB}, "", "/test.txt:2: ", "1/2_test.jpg: the picture is not there"},
		"no such split":        {pair(""), Options{Split: "val"}, "", ": there is no val.txt", "name a split"},
		"COCO cut off":         {map[string]string{"annotations.json": "{\n\"images\": [\n{\"id\": 1"}, Options{}, "", "/annotations.json:3: ", "COCO's detection format"},
		"COCO without lists":   {map[string]string{"annotations.json": "{}"}, Options{}, "", "/annotations.json:1: there is no list \"images\"", "want COCO"},
		"COCO of a list":       {map[string]string{"annotations.json": "[]"}, Options{}, "", "/annotations.json:1: no JSON object", "want COCO"},
		"COCO bbox":            {coco(image, "{\"image_id\": 1, \"category_id\": 1, \"bbox\": [1, 2, 3, 4]},\n{\"image_id\": 1, \"category_id\": 1, \"bbox\": [1, 2, 0, 4]}"), Options{}, "", "/annotations.json:6: bbox [1 2 0 4]", "want [left, top, width, height]"},
		"COCO category":        {coco(image, "{\"image_id\": 1, \"category_id\": 9, \"bbox\": [1, 2, 3, 4]}"), Options{}, "", "/annotations.json:5: an annotation of category 9", "add the category"},
		"COCO image":           {coco(image, "{\"image_id\": 2, \"category_id\": 1, \"bbox\": [1, 2, 3, 4]}"), Options{}, "", "/annotations.json:5: an annotation of image 2", "add the image"},
		"COCO twice":           {coco(image+","+image, ""), Options{}, "", "/annotations.json:2: image 1", "comes twice"},
		"COCO picture":         {coco(`{"id": 1, "file_name": "q.png"}`, ""), Options{}, "", "/annotations.json:2: the picture \"q.png\"", "copy it there"},
		"COCO that escapes":    {coco(`{"id": 1, "file_name": "../q.png"}`, ""), Options{}, "", "/annotations.json:2: image 1", "path below"},
		"COCO no golden":       {coco(image, ""), Options{Golden: "g/{stem}.png"}, "", "/p.png: its golden board", "say where golden boards are"},
		"YOLO class":           {map[string]string{"data.yaml": "names: [open]", "images/a.png": "", "labels/a.txt": "0 .5 .5 .1 .1\n1 .5 .5 .1 .1"}, Options{}, "", "/labels/a.txt:2: ", "data.yaml has 0 to 0"},
		"YOLO pixels":          {map[string]string{"data.yaml": "names: [open]", "images/a.png": "", "labels/a.txt": "0 50 50 10 10"}, Options{}, "", "/labels/a.txt:1: ", "each from 0 to 1"},
		"YOLO empty box":       {map[string]string{"data.yaml": "names: [open]", "images/a.png": "", "labels/a.txt": "0 .5 .5 0 .1"}, Options{}, "", "/labels/a.txt:1: ", "the box is empty"},
		"YOLO corners":         {map[string]string{"data.yaml": "names: [open]", "images/a.png": "", "labels/a.txt": "0 .5 .5 .1"}, Options{}, "", "/labels/a.txt:1: ", "3 numbers after the class"},
		"YOLO without names":   {map[string]string{"data.yaml": "train: images"}, Options{}, "", "/data.yaml: names has no class", "want names"},
		"YOLO gap in names":    {map[string]string{"data.yaml": "train: images\nnames: {0: a, 2: b}"}, Options{}, "", "/data.yaml:2: names", "want names"},
		"YOLO broken":          {map[string]string{"data.yaml": "names: [a\nb: c"}, Options{}, "", "/data.yaml:1: did not find", "want names"},
		"YOLO folder":          {map[string]string{"data.yaml": "names: [a]\nval: images/val"}, Options{}, "", "/data.yaml:2: val: there is no folder", "correct it"},
		"YOLO no split":        {map[string]string{"data.yaml": "names: [a]", "images/a.png": ""}, Options{Split: "test"}, "", "/data.yaml: no folder of images", "name one"},
		"YOLO without a board": {map[string]string{"data.yaml": "names: [a]", "images/a.md": ""}, Options{}, "", ": no board in it", "name the folder"},
		"labels no split":      {map[string]string{"good/a.png": ""}, Options{Format: Folders, Split: "test"}, "", ": there is no folder test", "name a split"},
		"twice":                {map[string]string{"good/a.png": "", "good/a.jpg": ""}, Options{}, "", "/good/a.png: this board is in the data set twice", "rename it"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, c.files)
			_, err := Open(filepath.Join(dir, c.at), c.options)
			var fault *DataError
			if !errors.As(err, &fault) {
				t.Fatalf("%v is no *DataError", err)
			}
			if !strings.HasPrefix(err.Error(), dir+c.want) || !strings.Contains(err.Error(), c.remedy) || !fault.Permanent() {
				t.Errorf("%v\nwant %s%s ... %s", err, dir, c.want, c.remedy)
			}
		})
	}
	for _, path := range []string{"/does/not/exist", t.TempDir()} {
		if _, err := Open(path, Options{Format: "tar"}); err == nil {
			t.Errorf("%s as tar is read", path)
		}
	}
}

func TestTruthOutsideThePicture(t *testing.T) {
	s := Sample{Picture: "a.png", defects: []inspector.Defect{defect("open", 1, 50, 0, 60, 10)}}
	if _, err := s.Truth(50, 50); err == nil || !strings.Contains(err.Error(), "a.png: the box of open from (50,0) to (60,10) is outside the picture of 50 x 50") {
		t.Error(err)
	}
}

func TestSpread(t *testing.T) {
	d := Dataset{}
	for _, name := range strings.Split("abcdefghij", "") {
		d.Samples = append(d.Samples, Sample{Name: name})
	}
	for n, want := range map[int]string{0: "abcdefghij", 1: "a", 3: "adg", 5: "acegi", 10: "abcdefghij", 99: "abcdefghij"} {
		got := ""
		for _, s := range d.Spread(n) {
			got += s.Name
		}
		if got != want {
			t.Errorf("%d: %s; want %s", n, got, want)
		}
	}
}

func TestAsGood(t *testing.T) {
	s, ok := Sample{Name: "a", Picture: "a_test.png", Golden: "a_temp.png", defects: []inspector.Defect{{}}}.AsGood()
	if !ok || s.Picture != "a_temp.png" || s.Golden != "a_temp.png" || !s.Good() || s.Name != "golden of a" {
		t.Errorf("%+v", s)
	}
	if _, ok := (Sample{Name: "a"}).AsGood(); ok {
		t.Error("a board without a golden board gives one")
	}
}

// No bytes make a parser panic, and what it accepts makes sense.
func FuzzParsers(f *testing.F) {
	for _, c := range formats {
		for name, text := range c.files {
			if text != "" {
				f.Add(name, []byte(text))
			}
		}
	}
	f.Add("a.csv", []byte("1e300,2,3,4,5\n"))
	f.Add("a.json", []byte(`{"images": [{"id": 1, "file_name": "a"}], "categories": [{"id": 1, "name": "a"}], "annotations": [{"image_id": 1, "category_id": 1, "bbox": [1e308, 1e308, 1e308, 1e308]}]}`))
	f.Add("data.yaml", []byte("names: {1000000000: a}"))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		var defects []inspector.Defect
		check := func(err error) {
			var fault *DataError
			if err != nil && (!errors.As(err, &fault) || fault.Text == "" || fault.Line < 0 || fault.Line > strings.Count(string(data), "\n")+1) {
				t.Errorf("%v", err)
			}
		}
		found, err := parseBoxes(name, data)
		check(err)
		defects = append(defects, found...)
		found, err = parseLabels(name, data, []string{"a", "b"})
		check(err)
		defects = append(defects, found...)
		c, err := parseCOCO(name, data)
		check(err)
		for _, i := range c.Images {
			defects = append(defects, i.defects...)
		}
		_, err = parseList(name, data)
		check(err)
		y, err := parseYOLO(name, data)
		check(err)
		if err == nil && len(y.classes) == 0 {
			t.Error("no classes")
		}
		for _, d := range defects {
			if !(d.Box.Left < d.Box.Right && d.Box.Top < d.Box.Bottom) || d.Class == "" {
				t.Errorf("accepted %+v", d)
			}
		}
	})
}
