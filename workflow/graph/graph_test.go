package graph

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

const everything = `{"StartAt":"Poll","States":{
 "Poll":{"Type":"Task","Resource":"inspector:poll","Retry":[{"ErrorEquals":["Http.500","States.Timeout"],"MaxAttempts":5},{"ErrorEquals":["States.ALL"],"MaxAttempts":99999999}],
   "Catch":[{"ErrorEquals":["Board.Lost"],"Next":"Lost"},{"ErrorEquals":["States.ALL"],"Next":"Tidy"}],"Next":"Done?"},
 "Done?":{"Type":"Choice","Choices":[
   {"And":[{"Variable":"$.s","StringEquals":"done"},{"Or":[{"Variable":"$.n","NumericGreaterThanEquals":3},{"Not":{"Variable":"$.x","IsPresent":true}}]}],"Next":"Each"},
   {"Variable":"$.s","StringEquals":"<script>alert('&')</script>","Next":"Lost"},
   {"Variable":"$.again","BooleanEquals":true,"Next":"Done?"}],"Default":"Pause"},
 "Pause":{"Type":"Wait","Seconds":30,"Next":"Poll"},
 "Each":{"Type":"Map","ItemProcessor":{"StartAt":"Measure","States":{"Measure":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Next":"Note"},"Note":{"Type":"Pass","End":true}}},
   "Catch":[{"ErrorEquals":["States.ALL"],"Next":"Tidy"}],"Next":"Both"},
 "Both":{"Type":"Parallel","Branches":[{"StartAt":"Ask","States":{"Ask":{"Type":"Task","Resource":"inspector:review.waitForTaskToken","End":true}}},{"StartAt":"Tell","States":{"Tell":{"Type":"Task","Resource":"inspector:alert","End":true}}}],"Next":"Good"},
 "Good":{"Type":"Succeed"},"Lost":{"Type":"Fail","Error":"BoardLost"},
 "Tidy":{"Type":"Task","Resource":"inspector:close","Next":"Lost"},
 "Nobody":{"Type":"Pass","Next":"Good"}}}`

// drawn draws it and checks what is true of every picture.
func drawn(t *testing.T, definition string, run *Run) string {
	t.Helper()
	out, err := Draw([]byte(definition), run)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Draw([]byte(definition), run)
	if err != nil || !bytes.Equal(out, again) {
		t.Errorf("drawn twice it differs (%v)", err)
	}
	wellFormed(t, out)
	return string(out)
}

func wellFormed(t *testing.T, svg []byte) {
	t.Helper()
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("it is not XML: %v\n%s", err, svg)
		}
		e, ok := token.(xml.StartElement)
		if ok && !slices.Contains([]string{"svg", "title", "style", "rect", "g", "path", "text", "circle"}, e.Name.Local) {
			t.Errorf("an element %s", e.Name.Local)
		}
		for _, a := range e.Attr {
			if strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "href" || strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
				t.Errorf("an attribute %s=%q", a.Name.Local, a.Value)
			}
		}
	}
}

func TestEverythingIsInThePicture(t *testing.T) {
	svg := drawn(t, everything, nil)
	for _, name := range []string{"Poll", "Done?", "Pause", "Each", "Measure", "Note", "Both", "Ask", "Tell", "Good", "Lost", "Tidy", "Nobody"} {
		if n := strings.Count(svg, `data-state="`+name+`"`); n != 1 {
			t.Errorf("%s is drawn %d times", name, n)
		}
	}
	for said, times := range map[string]int{
		`>$.s = &quot;done&quot; and ($.n ≥ 3 or`: 1, `>otherwise<`: 1, `>on Board.Lost<`: 1, `>on any error<`: 2, `>$.again = true<`: 1,
		`>↻ Http.500, States.Timeout:<`: 1, `>up to 5 times<`: 1, `>↻ any error: always<`: 1, `>Wait 30 s<`: 1, `>Fail BoardLost<`: 1, `>waits for an answer<`: 1,
		`class="state task lost"`: 0, `class="state pass lost"`: 1, `class="state map"`: 1, `class="inner"`: 3, `class="start"`: 4, `class="end"`: 5,
		`class="edge catch"`: 3, `class="edge default"`: 1, "<script": 0, `<title>start</title>`: 4, "legend": 0,
	} {
		if n := strings.Count(svg, said); n != times {
			t.Errorf("%s: %d times, want %d", said, n, times)
		}
	}
	if !strings.Contains(svg, "prefers-color-scheme:dark") {
		t.Error("it has no colours for the night")
	}
}

func TestShippedDefinition(t *testing.T) {
	b, err := os.ReadFile("../inspection.asl.json")
	if err != nil {
		t.Fatal(err)
	}
	svg := drawn(t, string(b), nil)
	for said, times := range map[string]int{`class="state `: 20, `class="inner"`: 5, `class="edge choice"`: 4, `class="edge default"`: 4, ">$.inspection.verdict = &quot;pass&quot;<": 1} {
		if n := strings.Count(svg, said); n != times {
			t.Errorf("%s: %d times, want %d", said, n, times)
		}
	}
}

// Nothing covers anything else: nodes of a layer stand side by side, layers
// below one another, blocks inside their state.
func TestNothingOverlaps(t *testing.T) {
	for name, definition := range machines(t) {
		top, err := read([]byte(definition))
		if err != nil {
			t.Fatal(err)
		}
		top.arrange()
		apart(t, name, top)
	}
}

func apart(t *testing.T, machine string, b *block) {
	layers := map[int][]*node{}
	for _, n := range b.nodes {
		layers[n.layer] = append(layers[n.layer], n)
		if n.x-n.width/2 < 0 || n.x+n.width/2+n.side > b.width || n.y < 0 || n.y+n.height > b.height || math.IsNaN(n.x+n.y) {
			t.Errorf("%s: %v is outside of its block", machine, n.name)
		}
		for k, at := range n.slots {
			inner := n.state.blocks[k]
			if at.x < 0 || at.y < n.title() || at.x+inner.width > n.width || at.y+inner.height > n.height {
				t.Errorf("%s: block %d of %v is outside of it", machine, k, n.name)
			}
			apart(t, machine, inner)
		}
	}
	for _, layer := range layers {
		slices.SortFunc(layer, func(a, b *node) int { return a.place - b.place })
		for k := 1; k < len(layer); k++ {
			a, b := layer[k-1], layer[k]
			if a.x+a.width/2+a.side > b.x-b.width/2-b.side-abreast/2 {
				t.Errorf("%s: %v and %v, or lines beside them, overlap", machine, a.name, b.name)
			}
		}
	}
	for _, e := range b.edges {
		for k := 1; k < len(e.path); k++ {
			if e.path[k].roof < e.path[k-1].floor+layerGap || e.path[k].layer != e.path[k-1].layer+1 {
				t.Errorf("%s: a line from %v to %v leaps", machine, e.from.name, e.to.name)
			}
		}
	}
}

// machines of all sorts, by name.
func machines(t *testing.T) map[string]string {
	t.Helper()
	shipped, err := os.ReadFile("../inspection.asl.json")
	if err != nil {
		t.Fatal(err)
	}
	var chain, tangle, fan strings.Builder
	for n := range 300 {
		fmt.Fprintf(&chain, `"S%d":{"Type":"Task","Resource":"r","Catch":[{"ErrorEquals":["States.ALL"],"Next":"F"}],"Next":"S%d"},`, n, n+1)
		fmt.Fprintf(&tangle, `"S%d":{"Type":"Choice","Choices":[{"Variable":"$.x","NumericEquals":%d,"Next":"S%d"},{"Variable":"$.y","IsNull":true,"Next":"S%d"}],"Default":"S%d"},`, n, n, (n*7+3)%300, (n*n+11)%300, (n+1)%300)
		fmt.Fprintf(&fan, `{"StartAt":"B%d","States":{"B%d":{"Type":"Pass","End":true}}},`, n, n)
	}
	return map[string]string{
		"everything": everything, "shipped": string(shipped),
		"chain":  `{"StartAt":"S0","States":{` + chain.String() + `"S300":{"Type":"Succeed"},"F":{"Type":"Fail"}}}`,
		"tangle": `{"StartAt":"S0","States":{` + tangle.String() + `"E":{"Type":"Succeed"}}}`,
		"fan":    `{"StartAt":"P","States":{"P":{"Type":"Parallel","End":true,"Branches":[` + strings.TrimSuffix(fan.String(), ",") + `]}}}`,
		"names":  `{"StartAt":"` + strings.Repeat("W", 80) + `","States":{"` + strings.Repeat("W", 80) + `":{"Type":"Wait","TimestampPath":"$.` + strings.Repeat("x", 500) + `","Next":"` + strings.Repeat("漢", 80) + `"},"` + strings.Repeat("漢", 80) + `":{"Type":"Pass","End":true}}}`,
		"nested": nest(20),
	}
}

func nest(deep int) string {
	if deep == 0 {
		return `{"StartAt":"S","States":{"S":{"Type":"Pass","End":true}}}`
	}
	return fmt.Sprintf(`{"StartAt":"M%d","States":{"M%d":{"Type":"Map","End":true,"ItemProcessor":%s}}}`, deep, deep, nest(deep-1))
}

func TestLargeMachinesAreDrawnSoon(t *testing.T) {
	for name, definition := range machines(t) {
		before := time.Now()
		drawn(t, definition, nil)
		if took := time.Since(before); took > 20*time.Second { // twice; a fraction of a second where nothing else runs
			t.Errorf("%s took %v", name, took)
		}
	}
}

func TestLongLinesAreWords(t *testing.T) {
	svg := drawn(t, machines(t)["chain"], nil)
	if n := strings.Count(svg, ">→ F<"); n < 200 || n == 300 {
		t.Errorf("%d of 300 transitions to one state are words", n)
	}
}

func TestWhatCannotBeDrawn(t *testing.T) {
	for definition, want := range map[string]string{
		``: "not JSON", `[]`: "no States", `{"States":{}}`: "no States", nest(deepest + 2): "deep",
		`{"States":{` + strings.TrimSuffix(strings.Repeat(`"a":{},`, 3), ",") + `}}`: "",
	} {
		_, err := Draw([]byte(definition), nil)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.60s: %v, want %q", definition, err, want)
		}
	}
}

func TestConditions(t *testing.T) {
	for rule, want := range map[string]string{
		`{"Variable":"$.a","StringEqualsPath":"$.b"}`:        `$.a = $.b`,
		`{"Variable":"$.a","StringMatches":"a*"}`:            `$.a matches "a*"`,
		`{"Variable":"$.a","IsPresent":false}`:               `$.a is not present`,
		`{"Variable":"$.a","IsNumeric":true}`:                `$.a is a number`,
		`{"Variable":"$.a","TimestampLessThanEquals":"x"}`:   `$.a ≤ "x"`,
		`{"Not":{"Variable":"$.a","BooleanEquals":true}}`:    `not ($.a = true)`,
		`{"Condition":"{% $states.input.a\n > 3 %}"}`:        `$states.input.a > 3`,
		`{"And":[{"Variable":"$.a","NumericLessThan":1e3}]}`: `$.a < 1e3`,
	} {
		b := `{"StartAt":"C","States":{"C":{"Type":"Choice","Choices":[` + strings.TrimSuffix(rule, "}") + `,"Next":"D"}]},"D":{"Type":"Succeed"}}}`
		top, err := read([]byte(b))
		if err != nil {
			t.Fatal(err)
		}
		if got := top.states[0].exits[0].label; got != want {
			t.Errorf("%s: %q, want %q", rule, got, want)
		}
	}
}

func FuzzDraw(f *testing.F) {
	f.Add([]byte(everything), "Poll")
	f.Add([]byte(nest(3)), "S")
	f.Add([]byte(`{"StartAt":"A","States":{"A":{"Type":"Choice","Choices":[{"Next":"A"},{"Next":"B"}],"Default":"A"},"B":7,"\u0000<":{"Type":"\"","Next":"A","Catch":[{"Next":"\u0000<"}]}}}`), "A")
	f.Fuzz(func(t *testing.T, definition []byte, name string) {
		run := &Run{Status: "RUNNING", Parked: []string{name}, Events: []Event{{Kind: "TaskStateEntered", State: name}, {Kind: "TaskFailed", State: name}, {Kind: "MapStateFailed"}, {Kind: "MapStateExited", State: name}, {Kind: "TaskStateEntered", State: name}}}
		if svg, err := Draw(definition, run); err == nil {
			wellFormed(t, svg)
		}
	})
}
