package classify

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"image"
	imagedraw "image/draw"
	"image/png"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"inspector"
	"inspector/board"
	"inspector/model"
	"inspector/model/onnxgo"
	"inspector/model/onnxruntime"
)

// pcb is the shipped model in the fastest runtime that is here.
func pcb(t testing.TB) (*model.Package, session) {
	if _, err := os.Stat("../models/pcb"); err != nil {
		t.Skip("the shipped model is not there")
	}
	p := load(t, "../models", "pcb")
	if s, err := onnxruntime.Open("", p, onnxruntime.Options{}); err == nil {
		t.Cleanup(func() { s.Close() })
		return p, s
	}
	s, err := onnxgo.Open(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return p, s
}

// tally counts boards and the defects that were marked.
type tally struct {
	verdicts       map[inspector.Verdict]int
	defects, found int
}

func (c *tally) add(r Result, truth []inspector.Defect) {
	if c.verdicts == nil {
		c.verdicts = map[inspector.Verdict]int{}
	}
	c.verdicts[r.Verdict]++
	for _, d := range truth {
		c.defects++
		for _, have := range r.Defects {
			if overlap(d.Box, have.Box) > .33 {
				c.found++
				break
			}
		}
	}
}

func (c *tally) String() string {
	return fmt.Sprintf("pass %d, unsure %d, fail %d; defects marked %d of %d", c.verdicts[inspector.Pass], c.verdicts[inspector.Unsure], c.verdicts[inspector.Fail], c.found, c.defects)
}

// The package's own vectors: what its trainer got, this code gets.
func TestVectors(t *testing.T) {
	p, s := pcb(t)
	dir := filepath.Join("../models", p.Name, p.Version, "vectors")
	b, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	if err != nil {
		t.Skip("the package has no vectors: ", err)
	}
	var want struct {
		Tested, Golden string
		Defects        []struct {
			Class string
			Score float32
			Box   [4]float32
		}
	}
	if err := json.Unmarshal(b, &want); err != nil || len(want.Defects) == 0 {
		t.Fatal("no defects are expected: ", err)
	}
	c, err := New(p, s, Recipe{Name: "vectors", Golden: grey(t, filepath.Join(dir, want.Golden)), Copper: Dark})
	if err != nil {
		t.Fatal(err)
	}
	r := c.Classify(t.Context(), grey(t, filepath.Join(dir, want.Tested)))
	if len(r.Defects) != len(want.Defects) {
		t.Fatalf("%+v; want %+v", r, want.Defects)
	}
	for i, w := range want.Defects {
		d := inspector.Defect{Class: w.Class, Box: inspector.Box{Left: w.Box[0], Top: w.Box[1], Right: w.Box[2], Bottom: w.Box[3]}}
		if have := r.Defects[i]; have.Class != w.Class || overlap(have.Box, d.Box) < .99 || have.Score < w.Score-.002 || have.Score > w.Score+.002 {
			t.Errorf("defect %d is %+v; want %+v", i, have, w)
		}
	}
}

// Drawn boards of an ordinary line: good ones pass and defective ones do not.
func TestDrawnBoards(t *testing.T) {
	p, s := pcb(t)
	for style, copper := range map[board.Style]Tone{board.Plate: Dark, board.Photo: Bright} {
		t.Run(string(style), func(t *testing.T) {
			var good, bad tally
			for seed := range uint64(5) {
				b, err := board.New(1000+seed, 640)
				if err != nil {
					t.Fatal(err)
				}
				golden, err := b.Golden(style)
				if err != nil {
					t.Fatal(err)
				}
				c, err := New(p, s, Recipe{Name: "drawn", Golden: golden, Copper: copper})
				if err != nil {
					t.Fatal(err)
				}
				for sample := range uint64(4) {
					o := board.Usual(style)
					count := &good
					if sample%2 == 1 {
						o.Defects, count = int(sample), &bad
					}
					px, truth, err := b.Sample(seed<<8+sample+1, o)
					if err != nil {
						t.Fatal(err)
					}
					r := c.Classify(t.Context(), px)
					count.add(r, truth)
					if want := map[bool]inspector.Verdict{true: inspector.Pass, false: inspector.Fail}[count == &good]; r.Verdict != want {
						t.Logf("board %d, sample %d: %s: %s", 1000+seed, sample, r.Verdict, r.Reason)
					}
				}
			}
			t.Logf("good boards: %v", &good)
			t.Logf("bad boards:  %v", &bad)
			if good.verdicts[inspector.Pass] < 7 || good.verdicts[inspector.Fail] > 1 {
				t.Errorf("only %d of 10 good boards pass, and %d fail", good.verdicts[inspector.Pass], good.verdicts[inspector.Fail])
			}
			if bad.verdicts[inspector.Pass] > 1 || bad.verdicts[inspector.Fail] < 8 {
				t.Errorf("%d of 10 bad boards pass and %d fail", bad.verdicts[inspector.Pass], bad.verdicts[inspector.Fail])
			}
			if bad.found*100 < bad.defects*75 {
				t.Errorf("%d of %d defects are marked", bad.found, bad.defects)
			}
		})
	}
}

// Real boards, which the model never saw: DeepPCB, golden = the pair's template.
func TestDeepPCB(t *testing.T) {
	files, err := filepath.Glob("../../shared/data/deeppcb/trainval/*_test.png")
	if err != nil || len(files) == 0 {
		t.Skip("the recorded boards of ../../shared/data are not there")
	}
	p, s := pcb(t)
	var bad, good tally
	const every = 50
	for i := 0; i < len(files); i += every {
		id := strings.TrimSuffix(files[i], "_test.png")
		golden, tested := grey(t, id+"_temp.png"), grey(t, files[i])
		c, err := New(p, s, Recipe{Name: filepath.Base(id), Golden: golden, Copper: Dark})
		if err != nil {
			t.Fatal(err)
		}
		bad.add(c.Classify(t.Context(), tested), truth(t, id+".csv"))
		good.add(c.Classify(t.Context(), golden), nil)
	}
	t.Logf("defective boards: %v", &bad)
	t.Logf("templates:        %v", &good)
	if n := len(files)/every + 1; bad.verdicts[inspector.Fail]*100 < n*95 {
		t.Errorf("%d of %d defective boards fail", bad.verdicts[inspector.Fail], n)
	}
	if good.verdicts[inspector.Pass]*100 < 95*(len(files)/every) {
		t.Errorf("only %d templates pass against themselves", good.verdicts[inspector.Pass])
	}
	if bad.found*100 < bad.defects*70 {
		t.Errorf("%d of %d defects are marked", bad.found, bad.defects)
	}
}

func grey(t *testing.T, file string) inspector.Pixels {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := png.Decode(f)
	if err != nil {
		t.Fatal(file, err)
	}
	g := image.NewGray(m.Bounds())
	imagedraw.Draw(g, g.Rect, m, m.Bounds().Min, imagedraw.Src)
	return inspector.Pixels{Width: g.Rect.Dx(), Height: g.Rect.Dy(), Channels: 1, Stride: g.Stride, Data: g.Pix}
}

func truth(t *testing.T, file string) []inspector.Defect {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(file, err)
	}
	var out []inspector.Defect
	for _, row := range rows {
		var v [5]float64
		for k := range v {
			if v[k], err = strconv.ParseFloat(row[k], 32); err != nil {
				break // the heading
			}
		}
		if err == nil {
			out = append(out, inspector.Defect{Class: board.Classes()[int(v[4])-1], Score: 1,
				Box: inspector.Box{Left: float32(v[0]), Top: float32(v[1]), Right: float32(v[2]), Bottom: float32(v[3])}})
		}
	}
	return out
}
