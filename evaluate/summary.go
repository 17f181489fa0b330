package evaluate

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"

	"inspector"
)

// A Number is written as null to JSON if it is not a number, which is what a
// share of nothing is.
type Number float64

// MarshalJSON keeps six digits after the point.
func (n Number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) {
		return []byte("null"), nil
	}
	return json.Marshal(math.Round(float64(n)*1e6) / 1e6)
}

// Percent is n for people; a dash if it is not a number.
func (n Number) Percent() string {
	if math.IsNaN(float64(n)) {
		return "–"
	}
	return strconv.FormatFloat(100*float64(n), 'f', 1, 64) + " %"
}

// String is n with three digits after the point; a dash if it is not a number.
func (n Number) String() string {
	if math.IsNaN(float64(n)) {
		return "–"
	}
	return strconv.FormatFloat(float64(n), 'f', 3, 64)
}

func share(part, whole int) Number {
	if whole == 0 {
		return Number(math.NaN())
	}
	return Number(float64(part) / float64(whole))
}

// An Operating is what a limit does: fail takes what fails a board, pass all
// that does not let it pass.
type Operating struct {
	Precision    Number `json:"precision"` // of the calls, those of the right class with IoU > 0.33
	Recall       Number `json:"recall"`    // of the defects, those found so
	FScore       Number `json:"f_score"`
	DefectRecall Number `json:"defect_recall"`      // of the defects, those where anything was called (IoU > 0.1)
	GoodCalled   Number `json:"good_boards_called"` // of the good boards
	BadMissed    Number `json:"bad_boards_missed"`  // of the bad boards
	FalsePer     Number `json:"false_per_board"`    // calls that hit nothing
	MissedPer    Number `json:"missed_per_board"`   // defects that were not found
}

// A ClassSummary is about one class.
type ClassSummary struct {
	Defects   int     `json:"defects"`
	Called    int     `json:"called"` // at fail
	AP33      Number  `json:"ap33"`
	AP50      Number  `json:"ap50"`
	Precision Number  `json:"precision"` // at fail
	Recall    Number  `json:"recall"`
	FScore    Number  `json:"f_score"`
	Curve33   []Point `json:"curve33"`
	Curve50   []Point `json:"curve50"`
}

// An Interval holds 95 % of what the same measure gives on as many boards drawn
// from these with repetition.
type Interval [2]Number

// A Confusion counts, at fail, what each defect was called. The last row is
// what was called where nothing is; the last column the defects that nothing
// was called at.
type Confusion struct {
	Classes []string `json:"classes"`
	Counts  [][]int  `json:"counts"` // [true][called]
}

// A Summary is all that was measured. Shares are from 0 to 1, null where there
// is nothing to have a share of.
type Summary struct {
	Model   string `json:"model"`
	Runtime string `json:"runtime"`
	Recipe  string `json:"recipe,omitempty"`
	Data    string `json:"data"`
	Format  Format `json:"format"`
	Limits  Policy `json:"limits"`

	Boards     int `json:"boards"`
	GoodBoards int `json:"good_boards"`
	BadBoards  int `json:"bad_boards"`
	Unjudged   int `json:"unjudged_boards"` // pictures that could not be read or judged
	Defects    int `json:"defects"`

	MAP33    Number `json:"map33"`
	MAP50    Number `json:"map50"`
	Pooled33 Number `json:"pooled_ap33"` // all classes in one ranking
	Pooled50 Number `json:"pooled_ap50"`

	// These are those of At["fail"].
	Precision    Number `json:"precision"`
	Recall       Number `json:"recall"`
	FScore       Number `json:"f_score"`
	DefectRecall Number `json:"defect_recall"`

	FalseCallBoards Number `json:"false_call_boards"` // of the good boards, those failed
	EscapeBoards    Number `json:"escape_boards"`     // of the bad boards, those passed
	UnsureBoards    Number `json:"unsure_boards"`     // of all boards

	At        map[string]Operating     `json:"at"`
	PerClass  map[string]*ClassSummary `json:"per_class"`
	Confusion Confusion                `json:"confusion"`
	Intervals map[string]Interval      `json:"intervals"`
	Millis    Stages                   `json:"median_ms"`
}

// Stages are medians per board, in milliseconds.
type Stages struct {
	Prepare Number `json:"prepare"`
	Infer   Number `json:"infer"`
	Decode  Number `json:"decode"`
}

// curveStep is less than a line's width on a page.
const curveStep = 0.01

// Summarise measures boards that were judged by p. Classes are in the order in
// which they are shown; a class that only boards know follows. Without boxes
// (one side has labels for whole boards, the other boxes) only whole boards
// can be compared, and all about defects is not a number.
func Summarise(boards []Board, classes []string, p Policy, boxes bool) Summary {
	classes = allClasses(boards, classes)
	t := newTally(boards, classes, p, boxes)
	once := make([]int, len(boards))
	for i := range once {
		once[i] = 1
	}
	s := Summary{Limits: p, Boards: len(boards), PerClass: map[string]*ClassSummary{}}
	m := t.measure(once)
	s.MAP33, s.MAP50, s.Pooled33, s.Pooled50 = m.map33, m.map50, m.pooled33, m.pooled50
	s.At = map[string]Operating{"fail": m.fail, "pass": m.pass}
	s.Precision, s.Recall, s.FScore, s.DefectRecall = m.fail.Precision, m.fail.Recall, m.fail.FScore, m.fail.DefectRecall
	s.FalseCallBoards, s.EscapeBoards = m.fail.GoodCalled, m.pass.BadMissed
	unsure := 0
	for _, b := range boards {
		if b.Good() {
			s.GoodBoards++
		} else {
			s.BadBoards++
		}
		if b.Verdict == inspector.Unsure {
			unsure++
		}
		if b.Unjudged() {
			s.Unjudged++
		}
		s.Defects += len(b.Truth)
	}
	s.UnsureBoards = share(unsure, len(boards))
	for i, class := range classes {
		s.PerClass[class] = t.class(i, class, boards, p, once)
	}
	if boxes {
		s.Confusion = confuse(boards, classes, p)
	}
	s.Intervals = t.intervals()
	s.Millis = stages(boards)
	return s
}

func allClasses(boards []Board, classes []string) []string {
	seen := map[string]bool{}
	var out []string
	add := func(class string) {
		if !seen[class] {
			seen[class] = true
			out = append(out, class)
		}
	}
	for _, c := range classes {
		add(c)
	}
	for _, b := range boards {
		for _, d := range b.Truth {
			add(d.Class)
		}
		for _, d := range b.Found {
			add(d.Class)
		}
	}
	return out
}

func confuse(boards []Board, classes []string, p Policy) Confusion {
	c := Confusion{Classes: classes, Counts: make([][]int, len(classes)+1)}
	place := map[string]int{}
	for i := range c.Counts {
		c.Counts[i] = make([]int, len(classes)+1)
		if i < len(classes) {
			place[classes[i]] = i
		}
	}
	nothing := len(classes)
	for _, b := range boards {
		calls, missed := p.failing(b), make([]bool, len(b.Truth))
		for k := range missed {
			missed[k] = true
		}
		for i, k := range match(calls, b.Truth, loose, false) {
			row := nothing
			if k >= 0 {
				row, missed[k] = place[b.Truth[k].Class], false
			}
			c.Counts[row][place[calls[i].Class]]++
		}
		for k, d := range b.Truth {
			if missed[k] {
				c.Counts[place[d.Class]][nothing]++
			}
		}
	}
	return c
}

// Classes are those measured, in the order in which they are shown.
func (s Summary) Classes() []string {
	if s.Confusion.Classes != nil {
		return s.Confusion.Classes
	}
	return slices.Sorted(maps.Keys(s.PerClass))
}
