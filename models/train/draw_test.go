package main

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"inspector"
)

func TestDrawnPairsAreWhatTrainingReads(t *testing.T) {
	const n = 6
	var first []byte
	for range 2 {
		dir := t.TempDir()
		if err := write(dir, draw(n, 7, false, 0)); err != nil {
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

func TestConvertReadsAFolderOfPairs(t *testing.T) {
	in, out := t.TempDir(), t.TempDir()
	img := image.NewGray(image.Rect(0, 0, size, size))
	img.Set(1, 0, color.White)
	for _, name := range []string{"a_test.png", "a_temp.png"} {
		f, err := os.Create(filepath.Join(in, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := png.Encode(f, img); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	for csv, good := range map[string]bool{
		"x1,y1,x2,y2,class\n1,2,30,40,6\n5,6,70,80,1\n": true,
		"x1,y1,x2,y2,class\n1,2,30,40,7\n":              false,
		"x1,y1,x2,y2,class\n1,2,three,40,1\n":           false,
		"":                                              false,
	} {
		if err := os.WriteFile(filepath.Join(in, "a.csv"), []byte(csv), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := write(out, convert(in)); (err == nil) != good {
			t.Errorf("%q: %v", csv, err)
		} else if !good {
			continue
		}
		pairs, err := os.ReadFile(filepath.Join(out, "pairs.bin"))
		if err != nil || pairs[0] != 0x40 {
			t.Errorf("first byte %x, %v", pairs[0], err)
		}
		if boxes, err := os.ReadFile(filepath.Join(out, "boxes.bin")); err != nil || len(boxes) != 48 {
			t.Errorf("%d bytes of boxes, %v", len(boxes), err)
		}
	}
	if err := write(out, convert(t.TempDir())); err == nil {
		t.Error("an empty folder was converted")
	}
}

// Made worse, a plain pair is nearly what it was and its boxes are; each other
// trial changes the plate it says and not the other one.
func TestWorsePairs(t *testing.T) {
	dir := t.TempDir()
	if err := write(dir, draw(2, 7, true, 0)); err != nil {
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
