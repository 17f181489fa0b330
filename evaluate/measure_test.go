package evaluate

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"image"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"inspector"
)

// Three boards whose figures can be worked out by hand: see the tests below.
//
//	score        .95 .90 .80 .70 .60 .50
//	class         B   A   A   A   A   A
//	IoU > .33     -   x   -   x   x   -   with one of the three defects A
//	IoU > .50     -   x   -   -   x   -
var three = []Board{
	{
		Name: "first", Truth: []inspector.Defect{defect("A", 1, 0, 0, 10, 10), defect("A", 1, 20, 0, 30, 10)}, Verdict: inspector.Fail,
		Found:   []inspector.Defect{defect("A", .9, 0, 0, 10, 10), defect("A", .8, 100, 100, 110, 110), defect("A", .7, 20, 0, 30, 5)},
		Called:  []inspector.Defect{defect("A", .9, 0, 0, 10, 10), defect("A", .8, 100, 100, 110, 110), defect("A", .7, 20, 0, 30, 5)},
		Timings: inspector.Timings{Prepare: 1 * time.Millisecond, Infer: 10 * time.Millisecond, Decode: time.Millisecond},
	},
	{
		Name: "second", Truth: []inspector.Defect{defect("A", 1, 0, 0, 10, 10)}, Verdict: inspector.Fail,
		Found:   []inspector.Defect{defect("B", .95, 0, 0, 10, 10), defect("A", .6, 0, 0, 10, 10)},
		Called:  []inspector.Defect{defect("B", .95, 0, 0, 10, 10), defect("A", .6, 0, 0, 10, 10)},
		Timings: inspector.Timings{Prepare: 3 * time.Millisecond, Infer: 20 * time.Millisecond, Decode: time.Millisecond},
	},
	{Name: "third", Verdict: inspector.Pass, Found: []inspector.Defect{defect("A", .5, 0, 0, 10, 10)}},
}

var policy = Policy{Limits: Limits{Fail: .65, Pass: .55}}

func near(t *testing.T, what string, have Number, want float64) {
	t.Helper()
	if math.Abs(float64(have)-want) > 1e-6 && !(math.IsNaN(float64(have)) && math.IsNaN(want)) {
		t.Errorf("%s is %v; want %v", what, float64(have), want)
	}
}

func TestOverlap(t *testing.T) {
	for _, c := range []struct {
		a, b inspector.Box
		want float64
	}{
		{box(0, 0, 10, 10), box(0, 0, 10, 10), 1},
		{box(0, 0, 10, 10), box(10, 0, 20, 10), 0},
		{box(0, 0, 10, 10), box(5, 0, 15, 10), 50. / 150},
		{box(0, 0, 10, 10), box(5, 5, 15, 15), 25. / 175},
		{box(0, 0, 10, 10), box(2, 2, 4, 4), 4. / 100},
	} {
		if have := overlap(c.a, c.b); math.Abs(have-c.want) > 1e-9 || overlap(c.b, c.a) != have {
			t.Errorf("%v and %v: %v; want %v", c.a, c.b, have, c.want)
		}
	}
}

func TestMatch(t *testing.T) {
	truth := []inspector.Defect{defect("A", 1, 0, 0, 10, 10), defect("B", 1, 0, 0, 10, 8)}
	for _, c := range []struct {
		name  string
		found []inspector.Defect
		over  float64
		same  bool
		want  []int
	}{
		{"best overlap", []inspector.Defect{defect("A", 1, 0, 0, 10, 8)}, .33, false, []int{1}},
		{"class before overlap", []inspector.Defect{defect("A", 1, 0, 0, 10, 8)}, .33, true, []int{0}},
		{"each defect once", []inspector.Defect{defect("A", 1, 0, 0, 10, 10), defect("A", .9, 0, 0, 10, 10)}, .33, true, []int{0, -1}},
		{"the second takes what is left", []inspector.Defect{defect("A", 1, 0, 0, 10, 8), defect("A", .9, 0, 0, 10, 8)}, .33, false, []int{1, 0}},
		{"just the overlap is not over it", []inspector.Defect{defect("A", 1, 0, 0, 10, 5)}, .5, true, []int{-1}},
		{"other class", []inspector.Defect{defect("C", 1, 0, 0, 10, 10)}, .33, true, []int{-1}},
	} {
		if have := match(c.found, truth, c.over, c.same); !slices.Equal(have, c.want) {
			t.Errorf("%s: %v; want %v", c.name, have, c.want)
		}
	}
}

func TestSummary(t *testing.T) {
	s := Summarise(three, []string{"A", "B"}, policy, true)
	a, b := s.PerClass["A"], s.PerClass["B"]
	fail, pass := s.At["fail"], s.At["pass"]
	for what, c := range map[string]struct {
		have Number
		want float64
	}{
		// Precision is 1, 1/2, 2/3, 3/4, 3/5; its best from there on 1, 3/4, 3/4, 3/4, 3/5.
		"AP of A at 0.33": {a.AP33, (1 + .75 + .75) / 3},
		// 1, 1/2, 1/3, 2/4, 2/5.
		"AP of A at 0.5": {a.AP50, (1 + .5) / 3},
		"AP of B":        {b.AP33, math.NaN()},
		"mAP at 0.33":    {s.MAP33, (1 + .75 + .75) / 3},
		"mAP at 0.5":     {s.MAP50, (1 + .5) / 3},
		// All classes: 0, 1/2, 1/3, 2/4, 3/5, 3/6.
		"pooled at 0.33": {s.Pooled33, (1./2 + 2./4 + 3./5) / 3},
		"pooled at 0.5":  {s.Pooled50, (1./2 + 2./5) / 3},

		"precision at fail":     {s.Precision, 2. / 4},
		"recall at fail":        {s.Recall, 2. / 3},
		"F at fail":             {s.FScore, 2 * .5 * (2. / 3) / (.5 + 2./3)},
		"any class at fail":     {s.DefectRecall, 1},
		"false per board":       {fail.FalsePer, 2. / 3},
		"missed per board":      {fail.MissedPer, 1. / 3},
		"precision at pass":     {pass.Precision, 3. / 5},
		"recall at pass":        {pass.Recall, 1},
		"F at pass":             {pass.FScore, .75},
		"good boards failed":    {s.FalseCallBoards, 0},
		"bad boards passed":     {s.EscapeBoards, 0},
		"boards unsure":         {s.UnsureBoards, 0},
		"precision of A":        {a.Precision, 2. / 3},
		"recall of A":           {a.Recall, 2. / 3},
		"precision of B":        {b.Precision, 0},
		"recall of B":           {b.Recall, math.NaN()},
		"median of preparation": {s.Millis.Prepare, 2},
		"median of inference":   {s.Millis.Infer, 15},
	} {
		near(t, what, c.have, c.want)
	}
	if s.Boards != 3 || s.GoodBoards != 1 || s.BadBoards != 2 || s.Defects != 3 || s.Unjudged != 0 || a.Defects != 3 || a.Called != 3 || b.Called != 1 {
		t.Errorf("counted %+v, %+v, %+v", s, a, b)
	}
	want := [][]int{{2, 1, 0}, {0, 0, 0}, {1, 0, 0}}
	if !slices.Equal(s.Confusion.Classes, []string{"A", "B"}) || !slices.EqualFunc(s.Confusion.Counts, want, slices.Equal) {
		t.Errorf("confusion %v; want %v", s.Confusion, want)
	}
	points := []Point{{1. / 3, 1, .9}, {1. / 3, .5, .8}, {2. / 3, 2. / 3, .7}, {1, .75, .6}, {1, .6, .5}}
	for i, p := range a.Curve33 {
		near(t, "recall", p.Recall, float64(points[i].Recall))
		near(t, "precision", p.Precision, float64(points[i].Precision))
		near(t, "score", p.Score, float64(points[i].Score))
	}
	if len(a.Curve33) != len(points) || b.Curve33 != nil {
		t.Errorf("curves %v and %v", a.Curve33, b.Curve33)
	}
}

// Verdicts of whole boards: two good, one failed; three bad, one passed, one unsure.
func TestBoards(t *testing.T) {
	bad := []inspector.Defect{defect("A", 1, 0, 0, 10, 10)}
	call := []inspector.Defect{defect("A", .6, 0, 0, 10, 10)}
	boards := []Board{
		{Verdict: inspector.Pass}, {Verdict: inspector.Fail, Called: []inspector.Defect{defect("A", .9, 0, 0, 10, 10)}},
		{Truth: bad, Verdict: inspector.Pass}, {Truth: bad, Verdict: inspector.Unsure, Called: call}, {Truth: bad, Verdict: inspector.Unsure},
	}
	s := Summarise(boards, nil, policy, true)
	near(t, "false calls", s.FalseCallBoards, .5)
	near(t, "escapes", s.EscapeBoards, 1./3)
	near(t, "unsure", s.UnsureBoards, .4)
	near(t, "bad boards not failed", s.At["fail"].BadMissed, 1)
	near(t, "any class at pass", s.At["pass"].DefectRecall, 1./3)
	if s.Unjudged != 1 {
		t.Errorf("%d unjudged; want 1", s.Unjudged)
	}
	s = Summarise(boards, nil, policy, false)
	near(t, "false calls without boxes", s.FalseCallBoards, .5)
	for what, n := range map[string]Number{"mAP": s.MAP33, "F": s.FScore, "any class": s.DefectRecall, "AP": s.PerClass["A"].AP33} {
		near(t, what+" without boxes", n, math.NaN())
	}
}

// A class's own limit decides for its calls.
func TestLimitsOfAClass(t *testing.T) {
	p := Policy{Limits: policy.Limits, Classes: map[string]Limits{"A": {Fail: .75, Pass: .1}}}
	near(t, "recall", Summarise(three, nil, p, true).Recall, 1./3)
}

// A board that counts twice is two boards.
func TestWeightsAreRepetitions(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var boards, repeated []Board
	var weight, once []int
	for range 30 {
		b := Board{Verdict: inspector.Fail}
		for range r.IntN(4) {
			x := float32(r.IntN(10)) * 20
			b.Truth = append(b.Truth, defect("A", 1, x, 0, x+15, 15))
		}
		for range r.IntN(5) {
			x := float32(r.IntN(10)) * 20
			b.Found = append(b.Found, defect("A", r.Float32(), x, 0, x+15, 15))
		}
		b.Called = b.Found
		boards, weight = append(boards, b), append(weight, r.IntN(3))
		for range weight[len(weight)-1] {
			repeated, once = append(repeated, b), append(once, 1)
		}
	}
	classes := []string{"A"}
	have, want := newTally(boards, classes, policy, true).measure(weight), newTally(repeated, classes, policy, true).measure(once)
	near(t, "mAP", have.map33, float64(want.map33))
	near(t, "F", have.fail.FScore, float64(want.fail.FScore))
	near(t, "any class", have.pass.DefectRecall, float64(want.pass.DefectRecall))
	near(t, "false per board", have.fail.FalsePer, float64(want.fail.FalsePer))
}

// Of n boards each of which is right with probability p, the share that is right
// has a standard deviation of the root of p(1-p)/n.
func TestIntervals(t *testing.T) {
	boards := make([]Board, 400)
	for i := range boards {
		boards[i].Verdict = inspector.Pass
		if i%10 == 0 {
			boards[i].Verdict = inspector.Fail
		}
	}
	s := Summarise(boards, nil, policy, true)
	have := s.Intervals["false_call_boards"]
	wide := 1.96 * math.Sqrt(.1*.9/400)
	if math.Abs(float64(have[0])-(.1-wide)) > .006 || math.Abs(float64(have[1])-(.1+wide)) > .006 {
		t.Errorf("interval %v; want about %v to %v", have, .1-wide, .1+wide)
	}
	if _, ok := s.Intervals["map33"]; ok {
		t.Error("an interval of nothing")
	}
	again := Summarise(boards, nil, policy, true).Intervals["false_call_boards"]
	if again != have {
		t.Errorf("%v and then %v", have, again)
	}
}

// None of 100 says that it is less than 3.6 %, not that it is never.
func TestIntervalOfNone(t *testing.T) {
	boards := make([]Board, 100)
	for i := range boards {
		boards[i].Verdict = inspector.Pass
	}
	have := Summarise(boards, nil, policy, true).Intervals
	near(t, "least", have["false_call_boards"][0], 0)
	near(t, "most", have["false_call_boards"][1], 1-math.Pow(.025, .01))
	if _, ok := have["escape_boards"]; ok {
		t.Error("an interval of bad boards, of which there are none")
	}
	for i := range boards {
		boards[i].Truth = []inspector.Defect{defect("A", 1, 0, 0, 1, 1)}
	}
	near(t, "least of all", Summarise(boards, nil, policy, true).Intervals["escape_boards"][0], math.Pow(.025, .01))
}

// No limit lies between equal scores, so the curve has no point there.
func TestCurveOfEqualScores(t *testing.T) {
	b := Board{
		Truth: []inspector.Defect{defect("A", 1, 0, 0, 10, 10), defect("A", 1, 20, 0, 30, 10)},
		Found: []inspector.Defect{defect("A", .5, 0, 0, 10, 10), defect("A", .5, 50, 0, 60, 10), defect("A", .5, 20, 0, 30, 10)},
	}
	c := rank([]Board{b}, "A", loose).curve(.01)
	if len(c) != 1 || c[0] != (Point{1, Number(2. / 3), .5}) {
		t.Errorf("%v; want one point", c)
	}
}

func TestCurveIsThinned(t *testing.T) {
	b := Board{}
	for i := range 1000 {
		b.Truth = append(b.Truth, defect("A", 1, float32(20*i), 0, float32(20*i+10), 10))
		b.Found = append(b.Found, defect("A", 1-float32(i)/1000, float32(20*i), 0, float32(20*i+10), 10))
	}
	c := rank([]Board{b}, "A", loose).curve(.0099)
	if len(c) != 101 || c[0].Recall != .001 || c[1].Recall != .011 || c[100].Recall != 1 {
		t.Errorf("%d points from %v to %v", len(c), c[0], c[len(c)-1])
	}
}

func TestJSON(t *testing.T) {
	text, err := json.Marshal(Summarise(three, []string{"A", "B"}, policy, true))
	if err != nil {
		t.Fatal(err)
	}
	var have map[string]any
	if err := json.Unmarshal(text, &have); err != nil {
		t.Fatal(err)
	}
	if have["map33"] != .833333 || have["boards"] != 3. || have["false_call_boards"] != 0. || have["per_class"].(map[string]any)["B"].(map[string]any)["ap33"] != nil {
		t.Errorf("%s", text)
	}
}

func TestCSV(t *testing.T) {
	var b bytes.Buffer
	if err := WriteCSV(&b, three, policy); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"board,good,verdict,score,defects,called_fail,called,right,near,missed,false,prepare_ms,infer_ms,decode_ms,reason",
		"first,false,fail,0.9000,2,3,3,2,2,0,1,1.00,10.00,1.00,",
		"second,false,fail,0.9500,1,1,2,1,1,0,1,3.00,20.00,1.00,",
		"third,true,pass,0.5000,0,0,0,0,0,0,0,0.00,0.00,0.00,",
	}
	for i, row := range rows {
		if have := strings.Join(row, ","); have != want[i] {
			t.Errorf("line %d is %s; want %s", i+1, have, want[i])
		}
	}
}

func TestWorst(t *testing.T) {
	boards := append(slices.Clone(three),
		Board{Truth: []inspector.Defect{defect("A", 1, 0, 0, 5, 5)}, Verdict: inspector.Pass},
		Board{Truth: []inspector.Defect{defect("A", 1, 0, 0, 50, 50), defect("A", 1, 100, 0, 110, 10)}, Called: []inspector.Defect{defect("A", .7, 100, 0, 110, 10)}, Verdict: inspector.Fail},
		Board{Called: []inspector.Defect{defect("B", .6, 0, 0, 5, 5)}, Verdict: inspector.Unsure})
	var have []string
	for _, m := range Worst(boards, 2) {
		have = append(have, strings.TrimSuffix(strings.Join([]string{m.Kind, string(rune('0' + m.Board)), m.Defect.Class, m.As}, " "), " "))
	}
	// The passed board before the larger defect, the good board before the surer call.
	want := []string{"missed 3 A", "missed 4 A", "false call 5 B", "false call 0 A", "wrong class 1 B A"}
	if !slices.Equal(have, want) {
		t.Errorf("%q; want %q", have, want)
	}
}

func TestAround(t *testing.T) {
	for _, c := range []struct {
		box  inspector.Box
		w, h int
		want image.Rectangle
	}{
		{box(300, 300, 320, 320), 640, 640, image.Rect(246, 246, 374, 374)},
		{box(0, 630, 20, 640), 640, 640, image.Rect(0, 512, 128, 640)},
		{box(100, 100, 400, 200), 640, 640, image.Rect(68, 0, 432, 364)},
		{box(10, 10, 20, 20), 100, 50, image.Rect(0, 0, 100, 50)},
	} {
		if have := Around(c.box, c.w, c.h); have != c.want {
			t.Errorf("%v: %v; want %v", c.box, have, c.want)
		}
	}
}
