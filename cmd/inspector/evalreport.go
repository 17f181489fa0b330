package main

import (
	"bytes"
	"cmp"
	"fmt"
	"image"
	"image/png"
	"io"
	"text/tabwriter"

	"inspector"
	"inspector/classify"
	"inspector/evaluate"
)

// mistakesShown of each kind are in the report.
const mistakesShown = 12

// exhibits cuts the worst mistakes out of their pictures. A picture that cannot
// be read again is left out: the report says the mistake without it.
func (e *evaluation) exhibits(samples []evaluate.Sample, boards []evaluate.Board) []evaluate.Exhibit {
	var out []evaluate.Exhibit
	for _, m := range evaluate.Worst(boards, mistakesShown) {
		x := evaluate.Exhibit{Mistake: m}
		if p, err := readStill(samples[m.Board].Picture); err == nil {
			part := evaluate.Around(m.Defect.Box, p.Width, p.Height)
			x.Tested = cut(p, part)
			if g, err := readGolden(samples[m.Board].Golden); err == nil && len(g.Data) > 0 {
				x.Golden = cut(g, scaled(part, p, g))
			}
		}
		out = append(out, x)
	}
	return out
}

// scaled is the part of b that shows the same as a part of a.
func scaled(part image.Rectangle, a, b inspector.Pixels) image.Rectangle {
	return image.Rect(part.Min.X*b.Width/a.Width, part.Min.Y*b.Height/a.Height, part.Max.X*b.Width/a.Width, part.Max.Y*b.Height/a.Height)
}

// cut encodes a part of a picture: grey without loss, colour as JPEG.
func cut(p inspector.Pixels, part image.Rectangle) evaluate.Picture {
	var b bytes.Buffer
	out := evaluate.Picture{Part: part}
	var err error
	if p.Channels == 1 {
		m := image.Gray{Pix: p.Data, Stride: p.Stride, Rect: image.Rect(0, 0, p.Width, p.Height)}
		out.Type, err = "image/png", png.Encode(&b, m.SubImage(part))
		out.Data = b.Bytes()
	} else {
		p.Data = p.Data[part.Min.Y*p.Stride+part.Min.X*p.Channels:]
		p.Width, p.Height = part.Dx(), part.Dy()
		out.Type = "image/jpeg"
		out.Data, err = classify.JPEG(p, 85)
	}
	if err != nil {
		return evaluate.Picture{} // only for a part without pixels
	}
	return out
}

// printSummary writes tables for people.
func printSummary(w io.Writer, s evaluate.Summary) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	row := func(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) }
	row("model\t%s on %s", s.Model, s.Runtime)
	row("data\t%s (%s): %d boards, of which %d good; %d defects; %d boards could not be judged", s.Data, s.Format, s.Boards, s.GoodBoards, s.Defects, s.Unjudged)
	row("limits\tfail %v, pass %v%s", s.Limits.Fail, s.Limits.Pass, cmp.Or(map[bool]string{true: fmt.Sprintf(", of classes %v", s.Limits.Classes)}[len(s.Limits.Classes) > 0], ""))
	row("a board\t%s ms preparation, %s ms model, %s ms decoding (medians)\n", s.Millis.Prepare, s.Millis.Infer, s.Millis.Decode)
	between := func(name string, of func(evaluate.Number) string) string {
		i, ok := s.Intervals[name]
		if !ok {
			return ""
		}
		return of(i[0]) + " to " + of(i[1])
	}
	number, percent := evaluate.Number.String, evaluate.Number.Percent
	row("MEASURE\tVALUE\t95 %% OF RESAMPLES")
	for _, m := range []struct {
		what, name string
		value      evaluate.Number
		of         func(evaluate.Number) string
	}{
		{"mAP, IoU > 0.33", "map33", s.MAP33, number}, {"mAP, IoU > 0.5", "map50", s.MAP50, number}, {"AP of all classes in one ranking, IoU > 0.33", "pooled_ap33", s.Pooled33, number},
		{"F at fail", "f_score", s.FScore, number}, {"defects found at fail, any class", "defect_recall", s.DefectRecall, percent},
		{"good boards failed (false calls)", "false_call_boards", s.FalseCallBoards, percent}, {"bad boards passed (escapes)", "escape_boards", s.EscapeBoards, percent},
		{"boards unsure", "", s.UnsureBoards, percent},
	} {
		row("%s\t%s\t%s", m.what, m.of(m.value), between(m.name, m.of))
	}
	row("\nAT\tPRECISION\tRECALL\tF\tFOUND\tGOOD CALLED\tBAD MISSED\tFALSE A BOARD\tMISSED A BOARD")
	for _, name := range []string{"fail", "pass"} {
		o := s.At[name]
		row("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", name, o.Precision, o.Recall, o.FScore, o.DefectRecall.Percent(), o.GoodCalled.Percent(), o.BadMissed.Percent(), o.FalsePer, o.MissedPer)
	}
	printClasses(row, s)
	return t.Flush()
}

func printClasses(row func(string, ...any), s evaluate.Summary) {
	row("\nCLASS\tDEFECTS\tAP 0.33\tAP 0.5\tPRECISION\tRECALL\tF")
	for _, name := range s.Classes() {
		c := s.PerClass[name]
		row("%s\t%d\t%s\t%s\t%s\t%s\t%s", name, c.Defects, c.AP33, c.AP50, c.Precision, c.Recall, c.FScore)
	}
	if len(s.Confusion.Counts) == 0 {
		return
	}
	line := "\nIS \\ CALLED"
	for _, name := range s.Confusion.Classes {
		line += "\t" + name
	}
	row("%s\tnothing", line)
	for i, counts := range s.Confusion.Counts {
		line = "nothing"
		if i < len(s.Confusion.Classes) {
			line = s.Confusion.Classes[i]
		}
		for _, n := range counts {
			line += fmt.Sprintf("\t%d", n)
		}
		row("%s", line)
	}
}
