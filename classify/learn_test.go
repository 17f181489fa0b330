package classify

import (
	"fmt"
	"image"
	"image/color"
	"slices"
	"strings"
	"testing"

	"gocv.io/x/gocv"

	"inspector"
	"inspector/board"
)

// learner is a classifier that aligns with the first of stills.
func learner(t *testing.T, stills []inspector.Pixels, copper Tone) *Classifier {
	t.Helper()
	p, session := pcb(t)
	c, err := New(p, session, Recipe{Name: "learn", Golden: stills[0], Copper: copper, Align: true, Etch: 1})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A golden board learnt of stills is nearer to the design than any of them,
// what is wrong with one of them is not on it, and it lies in their middle.
func TestLearn(t *testing.T) {
	o := board.Usual(board.Plate)
	o.Shift, o.Rotate, o.Etch = 0, 0, .2
	at := []place{laid(4, 0, 0, 1, 640), laid(-4, 2, .5, 1, 640), laid(0, -2, -.5, 1, 640), home, laid(2, 2, .2, 1, 640), laid(-2, -2, -.2, 1, 640), home}
	golden, _, _ := sampled(t, 5, o)
	var stills []inspector.Pixels
	for i, p := range at {
		if o.Defects = 0; i == 0 {
			o.Defects = 6
		}
		px, _, err := boards[5].Sample(uint64(i), o)
		if err != nil {
			t.Fatal(err)
		}
		stills = append(stills, displaced(t, px, p))
	}
	_, other, _ := sampled(t, 6, o)
	stills = append(stills, other)
	l, err := learner(t, stills, Dark).Learn(stills)
	if err != nil {
		t.Fatal(err)
	}
	if refused := slices.IndexFunc(l.Refused, func(err error) bool { return err != nil }); refused != len(at) {
		t.Errorf("refused: %v; want the last, which is another product", l.Refused)
	}
	a, err := newAligner(golden, 1, false, everywhere)
	if err != nil {
		t.Fatal(err)
	}
	if p, quality, err := a.register(new(layers), l.Golden); err != nil || p.reach(640, 640) > .8 || quality < .97 {
		t.Errorf("the golden board lies at %v (%.2f px), quality %.3f, %v", p, p.reach(640, 640), quality, err)
	}
	blobs := 0 // pixels that differ with all their neighbours: more than an edge
	for i := 641; i < len(golden.Data)-641; i++ {
		if around := []int{i, i - 1, i + 1, i - 640, i + 640}; !slices.ContainsFunc(around, func(k int) bool { return (l.Golden.Data[k] > 127) == (golden.Data[k] > 127) }) {
			blobs++
		}
	}
	if blobs > 0 {
		t.Errorf("%d pixels of the golden board differ from the design, away from edges", blobs)
	}
	if l.Varies > .005 {
		t.Errorf("good boards differ at %.3f of the places: ragged edges and the defects of one are none", l.Varies)
	}
}

// dated prints digits on a board, at a place of its own.
func dated(t *testing.T, px inspector.Pixels, digits int) inspector.Pixels {
	t.Helper()
	m, err := wrap(px)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := gocv.PutText(&m, fmt.Sprintf("%04d", digits), field.Min.Add(image.Pt(8, 28)), gocv.FontHersheySimplex, .8, color.RGBA{225, 225, 225, 0}, 2); err != nil {
		t.Fatal(err)
	}
	px.Data = m.ToBytes()
	return px
}

// field is where dated prints.
var field = image.Rect(296, 236, 392, 276)

// A golden board that is learnt of photographs is as good as the drawn one, and
// a date code is no defect.
func TestLearnOfPhotographs(t *testing.T) {
	o := board.Usual(board.Photo)
	still := func(seed uint64) inspector.Pixels {
		sampled(t, 1, o) // draws the board
		px, _, err := boards[1].Sample(seed, o)
		if err != nil {
			t.Fatal(err)
		}
		return dated(t, px, int(seed*7919%10000))
	}
	var stills []inspector.Pixels
	for seed := range uint64(24) { // half as many have not shown all digits
		stills = append(stills, still(2*seed+1))
	}
	l, err := learner(t, stills, Bright).Learn(stills)
	if err != nil {
		t.Fatal(err)
	}
	inside, all := 0, 0
	for i, v := range l.Tolerance.Data {
		if v > 0 {
			all++
			if image.Pt(i%640, i/640).In(field) {
				inside++
			}
		}
	}
	if inside < field.Dx()*field.Dy()/5 || all-inside > 640*640/100 {
		t.Errorf("%d places vary, %d of them in the field of the date code", all, inside)
	}
	p, session := pcb(t)
	c, err := New(p, session, Recipe{Golden: l.Golden, Tolerance: l.Tolerance, Copper: Bright, Align: true, Etch: 1})
	if err != nil {
		t.Fatal(err)
	}
	var scores []float32
	for seed := range uint64(12) {
		scores = append(scores, c.Classify(t.Context(), still(1000+seed)).Score)
	}
	slices.Sort(scores)
	if scores[6] > .35 || scores[9] > .5 {
		t.Errorf("good boards score %.2f; want half of them below 0.35, and three quarters below 0.5", scores)
	}
	o.Defects = 1
	found := 0
	for seed := range uint64(12) {
		if c.Classify(t.Context(), still(2000+seed)).Score > .6 {
			found++
		}
	}
	if found < 10 {
		t.Errorf("%d of 12 defects are found", found)
	}
}

// What good boards differ in is no defect; the same anywhere else is.
func TestTolerance(t *testing.T) {
	p, session := pcb(t)
	golden, _, _ := sampled(t, 1000, board.Options{Style: board.Plate})
	_, broken, truth := sampled(t, 1000, board.Options{Style: board.Plate, Defects: 1})
	allowed := inspector.Pixels{Width: 640, Height: 640, Channels: 1, Stride: 640, Data: make([]byte, 640*640)}
	for y := int(truth[0].Box.Top); y < int(truth[0].Box.Bottom); y++ {
		for x := int(truth[0].Box.Left); x < int(truth[0].Box.Right); x++ {
			allowed.Data[y*640+x] = 255
		}
	}
	elsewhere := allowed
	elsewhere.Data = slices.Clone(allowed.Data)
	slices.Reverse(elsewhere.Data)
	for what, c := range map[string]struct {
		tolerance inspector.Pixels
		want      inspector.Verdict
	}{
		"none": {inspector.Pixels{}, inspector.Fail}, "there": {allowed, inspector.Pass}, "elsewhere": {elsewhere, inspector.Fail},
	} {
		c2, err := New(p, session, Recipe{Golden: golden, Tolerance: c.tolerance, Copper: Dark, Align: true})
		if err != nil {
			t.Fatal(err)
		}
		if r := c2.Classify(t.Context(), broken); r.Verdict != c.want {
			t.Errorf("tolerance %s: %s: %s; want %s", what, r.Verdict, r.Reason, c.want)
		}
	}
	bad := allowed
	bad.Stride = 1
	if _, err := New(p, session, Recipe{Golden: golden, Tolerance: bad, Copper: Dark}); err == nil || !strings.Contains(err.Error(), "tolerance") {
		t.Errorf("a broken tolerance: %v", err)
	}
}

// A camera's frame is not written to, also by tolerance.
func TestFrameIsLeftAlone(t *testing.T) {
	golden, px, _ := sampled(t, 3, board.Options{Style: board.Plate, Rough: 1})
	tolerance := px
	tolerance.Data = slices.Repeat([]byte{255}, len(px.Data))
	p, _ := pcb(t)
	q := *p
	q.Inputs = slices.Clone(p.Inputs)
	q.Inputs[0].Binarise = false
	pr, err := newPreparer(&q, Recipe{Golden: golden, Tolerance: tolerance, Align: true})
	if err != nil {
		t.Fatal(err)
	}
	before, in := slices.Clone(px.Data), pr.newInput()
	if err := pr.fill(in, px); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(px.Data, before) {
		t.Error("the frame was written to")
	}
	if n := len(in.data) / 2; !slices.Equal(in.data[:n], in.data[n:]) {
		t.Error("what is all tolerated still differs")
	}
}

func TestLearnRefuses(t *testing.T) {
	golden, px, _ := sampled(t, 3, board.Options{Style: board.Plate})
	small := inspector.Pixels{Width: 64, Height: 64, Channels: 1, Stride: 64, Data: make([]byte, 64*64)}
	c := learner(t, []inspector.Pixels{golden}, Dark)
	for what, stills := range map[string][]inspector.Pixels{
		"two":             {golden, px},
		"another's sizes": {golden, px, small},
		"too many":        slices.Repeat([]inspector.Pixels{golden}, MostStills+1),
	} {
		if _, err := c.Learn(stills); err == nil || !strings.Contains(err.Error(), "want 3") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
