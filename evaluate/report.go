package evaluate

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"io"
	"math"
	"strings"

	"inspector"
)

//go:embed report.html.tmpl
var reportText string

// A Picture is an encoded part of a picture, for people.
type Picture struct {
	Part image.Rectangle // of the picture it was cut from
	Type string          // media type
	Data []byte          // empty: there is none
}

// An Exhibit is a mistake with the parts of the pictures that show it. Golden
// may be of another size than Tested, but shows the same place.
type Exhibit struct {
	Mistake
	Tested, Golden Picture
}

// WriteHTML writes a page that needs nothing else: no network, no other file.
func WriteHTML(w io.Writer, s Summary, boards []Board, exhibits []Exhibit) error {
	t, err := template.New("report").Funcs(template.FuncMap{"percent": Number.Percent}).Parse(reportText)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if err := t.Execute(w, pageOf(s, boards, exhibits)); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// colours of curves tell apart what most people's eyes tell apart.
var colours = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#7a5195", "#555555"}

type page struct {
	Summary
	Tiles   []tile
	Classes []class
	Charts  []chart
	Matrix  []matrixRow
	Cards   []card
	Legend  []string
}

type tile struct {
	Name, Value, Note string
}

type class struct {
	Name, Colour string
	*ClassSummary
}

// A chart has its origin at the lower left; both axes go from 0 to 1.
type chart struct {
	Title  string
	Curves []curve
}

type curve struct {
	Name, Colour, Points string
	AtX, AtY             float64 // the recipe's limit
	Marked               bool
}

type matrixRow struct {
	Name  string
	Cells []cell
}

type cell struct {
	Count int
	Style template.CSS
}

type card struct {
	Kind, Title, Board string
	Views              []view
}

// A view is one picture with what is drawn on it.
type view struct {
	Name       string
	X, Y, W, H int
	Source     template.URL
	Boxes      []drawn
	Text       float64 // size of letters
}

type drawn struct {
	X, Y, W, H   float64
	TextX, TextY float64
	Kind, Text   string
}

func pageOf(s Summary, boards []Board, exhibits []Exhibit) page {
	p := page{Summary: s, Tiles: tiles(s), Legend: s.Confusion.Classes}
	for i, name := range s.Classes() {
		p.Classes = append(p.Classes, class{name, colours[i%len(colours)], s.PerClass[name]})
	}
	at33, at50 := chart{Title: "IoU > 0.33"}, chart{Title: "IoU > 0.5"}
	for _, c := range p.Classes {
		if len(c.Curve33) > 0 {
			marked := !math.IsNaN(float64(c.Precision)) && !math.IsNaN(float64(c.Recall))
			at33.Curves = append(at33.Curves, curve{c.Name, c.Colour, line(c.Curve33), x(c.Recall), y(c.Precision), marked})
			at50.Curves = append(at50.Curves, curve{c.Name, c.Colour, line(c.Curve50), 0, 0, false})
		}
	}
	if len(at33.Curves) > 0 {
		p.Charts = []chart{at33, at50}
	}
	p.Matrix = matrix(s.Confusion)
	for _, e := range exhibits {
		p.Cards = append(p.Cards, cardOf(e, boards[e.Board]))
	}
	return p
}

func tiles(s Summary) []tile {
	note := func(name string) string {
		i, ok := s.Intervals[name]
		if !ok {
			return ""
		}
		return fmt.Sprintf("%s to %s", i[0], i[1])
	}
	percents := func(name string) string {
		i, ok := s.Intervals[name]
		if !ok {
			return ""
		}
		return fmt.Sprintf("%s to %s", i[0].Percent(), i[1].Percent())
	}
	return []tile{
		{"mAP, IoU > 0.33", s.MAP33.String(), note("map33")},
		{"mAP, IoU > 0.5", s.MAP50.String(), note("map50")},
		{"F at fail", s.FScore.String(), note("f_score")},
		{"defects found", s.DefectRecall.Percent(), percents("defect_recall")},
		{"good boards failed", s.FalseCallBoards.Percent(), percents("false_call_boards")},
		{"bad boards passed", s.EscapeBoards.Percent(), percents("escape_boards")},
	}
}

const lettersIn = 14 // the height of a picture

const chartSize = 320.0 // of the axes, in units of the drawing

func x(v Number) float64 { return math.Round(float64(v)*chartSize*10) / 10 }
func y(v Number) float64 { return math.Round((1-float64(v))*chartSize*10) / 10 }

func line(points []Point) string {
	var b strings.Builder
	if len(points) > 0 {
		fmt.Fprintf(&b, "0,%g ", y(points[0].Precision))
	}
	for _, p := range points {
		fmt.Fprintf(&b, "%g,%g ", x(p.Recall), y(p.Precision))
	}
	return strings.TrimSpace(b.String())
}

func matrix(c Confusion) (out []matrixRow) {
	for i, counts := range c.Counts {
		row, sum := matrixRow{Name: "nothing"}, 0
		if i < len(c.Classes) {
			row.Name = c.Classes[i]
		}
		for _, n := range counts {
			sum += n
		}
		for k, n := range counts {
			colour := "200, 60, 30" // wrong
			if i == k {
				colour = "0, 130, 90"
			}
			style := template.CSS("")
			if n > 0 {
				style = template.CSS(fmt.Sprintf("background: rgba(%s, %.2f)", colour, 0.12+0.6*float64(n)/float64(sum)))
			}
			row.Cells = append(row.Cells, cell{n, style})
		}
		out = append(out, row)
	}
	return out
}

func cardOf(e Exhibit, b Board) card {
	c := card{Kind: e.Kind, Board: b.Name}
	switch e.Kind {
	case Missed:
		c.Title = e.Defect.Class
		if e.Whole {
			c.Title += ", and the board passed"
		}
	case FalseCall:
		c.Title = fmt.Sprintf("%s %.2f", e.Defect.Class, e.Defect.Score)
		if e.Whole {
			c.Title += " on a good board"
		}
	case Confused:
		c.Title = fmt.Sprintf("%s %.2f, is %s", e.Defect.Class, e.Defect.Score, e.As)
	}
	for i, p := range []Picture{e.Tested, e.Golden} {
		if len(p.Data) == 0 {
			continue
		}
		v := view{
			Name: []string{"tested", "golden"}[i], X: p.Part.Min.X, Y: p.Part.Min.Y, W: p.Part.Dx(), H: p.Part.Dy(), Text: float64(p.Part.Dy()) / lettersIn,
			Source: template.URL("data:" + p.Type + ";base64," + base64.StdEncoding.EncodeToString(p.Data)),
		}
		if i == 0 {
			v.Boxes = append(boxes(b.Truth, "true", p.Part), boxes(b.Called, "called", p.Part)...)
		}
		c.Views = append(c.Views, v)
	}
	return c
}

// boxes are those that a part of the picture shows. What is there is written
// above its box, what was called below.
func boxes(ds []inspector.Defect, kind string, part image.Rectangle) (out []drawn) {
	letters := float64(part.Dy()) / lettersIn
	for _, d := range ds {
		b := d.Box
		if int(b.Right) < part.Min.X || int(b.Left) > part.Max.X || int(b.Bottom) < part.Min.Y || int(b.Top) > part.Max.Y {
			continue
		}
		text, at := d.Class, float64(b.Top)-0.3*letters
		if kind == "called" {
			text, at = fmt.Sprintf("%s %.2f", d.Class, d.Score), float64(b.Bottom)+letters
		}
		wide := 0.6 * letters * float64(len(text)) // at most, of most letters
		out = append(out, drawn{
			X: float64(b.Left), Y: float64(b.Top), W: float64(b.Right - b.Left), H: float64(b.Bottom - b.Top), Kind: kind, Text: text,
			TextX: max(min(float64(b.Left), float64(part.Max.X)-wide), float64(part.Min.X)+0.3*letters),
			TextY: max(min(at, float64(part.Max.Y)-0.4*letters), float64(part.Min.Y)+letters),
		})
	}
	return out
}
