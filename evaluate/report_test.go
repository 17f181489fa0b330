package evaluate

import (
	"bytes"
	"encoding/xml"
	"image"
	"regexp"
	"slices"
	"strings"
	"testing"

	"inspector"
)

// The page shows what was measured, is well formed, asks no network for
// anything, and a name cannot become part of its markup.
func TestHTML(t *testing.T) {
	boards := slices.Clone(three)
	boards[0].Name = "<script>alert(1)</script>"
	s := Summarise(boards, []string{"A", "B"}, policy, true)
	s.Model, s.Data, s.Runtime = "pcb/1.0.0@abc", "some <boards>", "onnxruntime"
	var exhibits []Exhibit
	for _, m := range Worst(boards, 5) {
		part := image.Rect(3, 4, 131, 132)
		exhibits = append(exhibits, Exhibit{m, Picture{part, "image/png", []byte("tested")}, Picture{part, "image/png", []byte("golden")}})
	}
	if len(exhibits) != 2 {
		t.Fatalf("%d mistakes; want a false call and a wrong class", len(exhibits))
	}
	var b bytes.Buffer
	if err := WriteHTML(&b, s, boards, exhibits); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, want := range []string{
		"pcb/1.0.0@abc", "some &lt;boards&gt;", "0.833", "&lt;script&gt;", "false call</span>: A 0.80", "wrong class</span>: B 0.95, is A", "data:image/png;base64,dGVzdGVk", "<polyline", "B 0.95</text>", `viewBox="3 4 128 128"><image x="3" y="4"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if strings.Contains(page, "<script") || strings.Contains(page, "ZgotmplZ") {
		t.Error("the page has a script, or something that the template refused")
	}
	for _, m := range regexp.MustCompile(`(?:href|src|url)\s*[=(]\s*"?([^">)]*)`).FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(m[1], "data:") {
			t.Errorf("the page asks for %q", m[1])
		}
	}
	for _, svg := range regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(page, -1) {
		if err := xml.Unmarshal([]byte(svg), new(struct{})); err != nil {
			t.Errorf("%v in %s", err, svg)
		}
	}
}

// Nothing to show is said and shown as nothing.
func TestHTMLOfNothing(t *testing.T) {
	boards := []Board{{Name: "a", Verdict: inspector.Pass}}
	for _, boxes := range []bool{true, false} {
		var b bytes.Buffer
		if err := WriteHTML(&b, Summarise(boards, []string{"A"}, policy, boxes), boards, nil); err != nil {
			t.Fatal(err)
		}
		if page := b.String(); !strings.Contains(page, "None.") || strings.Contains(page, "NaN") || strings.Contains(page, "<polyline") {
			t.Error(page)
		}
	}
}

func TestDrawnBoxes(t *testing.T) {
	part := image.Rect(100, 100, 240, 240)
	if outside := boxes([]inspector.Defect{defect("A", 1, 0, 0, 50, 50)}, "true", part); outside != nil {
		t.Errorf("%+v is outside", outside)
	}
	for _, kind := range []string{"true", "called"} {
		for _, d := range []inspector.Defect{defect("mousebite", 1, 90, 90, 110, 110), defect("mousebite", 1, 230, 230, 250, 250)} {
			b := boxes([]inspector.Defect{d}, kind, part)[0]
			if b.TextX < 100 || b.TextX+20 > 240 || b.TextY < 105 || b.TextY > 240 {
				t.Errorf("%s: the text of %+v is outside", kind, b)
			}
		}
	}
}
