package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"inspector"
	"inspector/board"
	"inspector/classify"
	"inspector/evaluate"
)

func TestDrawnPairsAreWhatTrainingReads(t *testing.T) {
	const n = 6
	var first []byte
	for range 2 {
		dir := t.TempDir()
		if err := write(dir, draw(n, 7, false, "", 0)); err != nil {
			t.Fatal(err)
		}
		pairs, err := os.ReadFile(filepath.Join(dir, "pairs.bin"))
		if err != nil {
			t.Fatal(err)
		}
		if len(pairs) != n*2*size*size/8 {
			t.Fatalf("%d bytes of pairs", len(pairs))
		}
		if first != nil && !bytes.Equal(first, pairs) {
			t.Error("the same seed gave other pairs")
		}
		first = pairs
		boxes, err := os.ReadFile(filepath.Join(dir, "boxes.bin"))
		if err != nil {
			t.Fatal(err)
		}
		rows := make([][6]float32, len(boxes)/24)
		if err := binary.Read(bytes.NewReader(boxes), binary.LittleEndian, rows); err != nil {
			t.Fatal(err)
		}
		with := map[float32]bool{}
		for _, r := range rows {
			with[r[0]] = true
			if r[1] < 0 || r[2] < 0 || r[3] > size || r[4] > size || r[3]-r[1] < 16 || r[4]-r[2] < 16 || r[5] < 0 || r[5] > 5 {
				t.Errorf("box %v", r)
			}
			// A defect is a difference of the two plates inside its box.
			differs := 0
			for y := int(r[2]); y < int(r[4]); y++ {
				for x := int(r[1]); x < int(r[3]); x++ {
					i := int(r[0])*2*size*size + y*size + x
					j := i + size*size
					if pairs[i/8]>>(7-i%8)&1 != pairs[j/8]>>(7-j%8)&1 {
						differs++
					}
				}
			}
			if differs < 8 {
				t.Errorf("box %v: the plates differ in %d pixels only", r, differs)
			}
		}
		if len(with) != n {
			t.Errorf("%d of %d pairs have defects", len(with), n)
		}
	}
}

// The same board in each format that inspector eval reads gives the same pair,
// at the size of the model.
func TestConvertReadsDataSets(t *testing.T) {
	b, err := board.New(7, size)
	if err != nil {
		t.Fatal(err)
	}
	tested, _, err := b.Sample(1, board.Options{Style: board.Plate, Defects: 2})
	if err != nil {
		t.Fatal(err)
	}
	golden, _, err := b.Sample(2, board.Options{Style: board.Plate})
	if err != nil {
		t.Fatal(err)
	}
	large := func(p inspector.Pixels) []byte { // at twice the size
		img := image.NewGray(image.Rect(0, 0, 2*size, 2*size))
		for i := range img.Pix {
			img.Pix[i] = p.Data[i/(2*size)/2*size+i%(2*size)/2]
		}
		var out bytes.Buffer
		if err := png.Encode(&out, img); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	t1, g1 := large(tested), large(golden)
	for name, c := range map[string]struct {
		source source
		files  map[string][]byte
		fault  string
	}{
		"deeppcb": {files: map[string][]byte{"a_test.png": t1, "a_temp.png": g1, "a.csv": []byte("x1,y1,x2,y2,class\n2,4,60,80,6\n10,12,140,160,1\n")}},
		"coco": {source: source{options: evaluate.Options{Golden: "goldens"}, rename: "hole=pin-hole,cut=open"}, files: map[string][]byte{
			"images/a.png": t1, "goldens/a.png": g1, "annotations.json": []byte(`{"images":[{"id":1,"file_name":"images/a.png","width":1280,"height":1280}],
				"categories":[{"id":3,"name":"hole"},{"id":4,"name":"cut"}],
				"annotations":[{"id":1,"image_id":1,"category_id":3,"bbox":[2,4,58,76]},{"id":2,"image_id":1,"category_id":4,"bbox":[10,12,130,148]}]}`)}},
		"yolo": {files: map[string][]byte{
			"images/a.png": t1, "goldens/a.png": g1, "data.yaml": []byte("path: .\ntrain: images\nnames: [pin-hole, open]\n"),
			"labels/a.txt": []byte("0 0.02421875 0.0328125 0.0453125 0.059375\n1 0.05859375 0.0671875 0.1015625 0.115625\n")}},
		"unknown class": {source: source{options: evaluate.Options{Golden: "goldens"}}, fault: "-rename", files: map[string][]byte{
			"images/a.png": t1, "goldens/a.png": g1, "data.yaml": []byte("path: .\ntrain: images\nnames: [hole, open]\n"), "labels/a.txt": nil}},
		"no golden": {fault: "golden", files: map[string][]byte{
			"images/a.png": t1, "data.yaml": []byte("path: .\ntrain: images\nnames: [pin-hole, open]\n"), "labels/a.txt": nil}},
		"bad class":   {fault: "7", files: map[string][]byte{"a_test.png": t1, "a_temp.png": g1, "a.csv": []byte("x1,y1,x2,y2,class\n1,2,30,40,7\n")}},
		"bad picture": {fault: "a_test.png", files: map[string][]byte{"a_test.png": t1[:90], "a_temp.png": g1, "a.csv": []byte("x1,y1,x2,y2,class\n1,2,30,40,1\n")}},
		"nothing":     {fault: "no data set"},
	} {
		t.Run(name, func(t *testing.T) {
			c.source.path, c.source.copper = t.TempDir(), classify.Dark
			for file, data := range c.files {
				file = filepath.Join(c.source.path, file)
				if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, data, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			var all []pair
			var err error
			for p := range c.source.pairs() {
				all, err = append(all, p), errors.Join(err, p.err)
			}
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) {
					t.Errorf("%v; want a fault that says %q", err, c.fault)
				}
				return
			}
			if err != nil || len(all) != 1 {
				t.Fatalf("%d pairs, %v", len(all), err)
			}
			if !bytes.Equal(all[0].tested, tested.Data) || !bytes.Equal(all[0].golden, golden.Data) {
				t.Error("other plates")
			}
			for i, want := range []inspector.Defect{{Class: "pin-hole", Box: inspector.Box{Left: 1, Top: 2, Right: 30, Bottom: 40}}, {Class: "open", Box: inspector.Box{Left: 5, Top: 6, Right: 70, Bottom: 80}}} {
				d := all[0].defects[i]
				for _, off := range []float32{d.Box.Left - want.Box.Left, d.Box.Top - want.Box.Top, d.Box.Right - want.Box.Right, d.Box.Bottom - want.Box.Bottom} {
					if off < -.01 || off > .01 || d.Class != want.Class {
						t.Fatalf("defect %d: %+v; want %+v", i, d, want)
					}
				}
			}
		})
	}
}

// Pairs that are laid have their boards in the same place, and their boxes on
// what differs.
func TestLaidPairs(t *testing.T) {
	differ := func(p pair) (n int) {
		for i := range p.tested {
			if p.tested[i] != p.golden[i] {
				n++
			}
		}
		return n
	}
	raw := make(map[bool]int)
	for _, share := range []float64{0, 1} {
		for p := range laid(draw(8, 11, false, "", 0), share, 1) {
			if p.err != nil {
				t.Fatal(p.err)
			}
			raw[share > 0] += differ(p)
			for _, d := range p.defects {
				inside := 0
				for y := int(d.Box.Top); y < int(d.Box.Bottom); y++ {
					for x := int(d.Box.Left); x < int(d.Box.Right); x++ {
						if p.tested[y*size+x] != p.golden[y*size+x] {
							inside++
						}
					}
				}
				if inside < 8 {
					t.Errorf("share %v: %d pixels differ in %+v", share, inside, d)
				}
			}
		}
	}
	if raw[true]*3 > raw[false]*2 {
		t.Errorf("%d pixels differ once laid, of %d", raw[true], raw[false])
	}
}

// Made worse, a plain pair is nearly what it was and its boxes are; each other
// trial changes the plate it says and not the other one.
func TestWorsePairs(t *testing.T) {
	dir := t.TempDir()
	if err := write(dir, draw(2, 7, true, "", 0)); err != nil {
		t.Fatal(err)
	}
	var before []pair
	if err := each(dir, func(_ int, p pair) bool { before = append(before, p); return true }); err != nil {
		t.Fatal(err)
	}
	differ := func(a, b []byte) (n int) {
		for i := range a {
			if a[i] != b[i] {
				n++
			}
		}
		return n
	}
	for _, name := range slices.Sorted(maps.Keys(trials)) {
		i := 0
		for p := range worse(dir, name, 0, 1) {
			if p.err != nil {
				t.Fatalf("%s: %v", name, p.err)
			}
			if !slices.EqualFunc(p.defects, before[i].defects, func(a, b inspector.Defect) bool { return a.Class == b.Class && a.Box == b.Box }) {
				t.Errorf("%s: pair %d: other boxes", name, i)
			}
			tested, golden := differ(p.tested, before[i].tested), differ(p.golden, before[i].golden)
			if trials[name].golden && tested != 0 || !trials[name].golden && golden != 0 {
				t.Errorf("%s: pair %d: %d pixels of the tested and %d of the golden plate changed", name, i, tested, golden)
			}
			switch n := tested + golden; name {
			case "plain":
				if n > size*size/100 {
					t.Errorf("plain: pair %d: %d pixels changed", i, n)
				}
			case "shift2", "rotate05", "scale1", "grown1", "shrunk1":
				if n < size*size/200 {
					t.Errorf("%s: pair %d: only %d pixels changed", name, i, n)
				}
			}
			i++
		}
		if i != len(before) {
			t.Errorf("%s: %d pairs; want %d", name, i, len(before))
		}
	}
	for p := range worse(dir, "worst", 0, 1) {
		if p.err == nil || !strings.Contains(p.err.Error(), "jpeg70") {
			t.Errorf("an unknown trial: %v", p.err)
		}
	}
	for p := range worse(t.TempDir(), "plain", 0, 1) {
		if p.err == nil {
			t.Error("an empty folder is no error")
		}
	}
}
