package graph

import (
	"fmt"
	"strings"
)

// node draws a node whose upper edge has its middle at x, y.
func (d *drawing) node(n *node, x, y float64) {
	switch n.kind {
	case startNode:
		d.put(`<circle class="start" cx="%s" cy="%s" r="6"><title>start</title></circle>`+"\n", x, y+n.height-6)
	case endNode:
		d.put(`<g class="end"><title>end</title><circle cx="%s" cy="%s" r="7"/><circle class="dot" cx="%s" cy="%s" r="3.5"/></g>`+"\n", x, y+7, x, y+7)
	case labelNode, jumpNode:
		d.put(`<rect class="plate" x="%s" y="%s" width="%s" height="%s"/>`, x-n.width/2, y, n.width, n.height)
		d.lines("label", n.lines, labelSize, x, y+2)
		d.WriteByte('\n')
	case stateNode:
		d.state(n, x, y)
	}
}

// lines writes lines of text around x, below y; it gives where they end.
func (d *drawing) lines(class string, lines []string, size, x, y float64) float64 {
	for n, line := range lines {
		d.put(`<text class="%s" x="%s" y="%s">%s</text>`, class, x, y+(float64(n)+0.78)*size*leading, line)
	}
	return y + float64(len(lines))*size*leading
}

func (d *drawing) state(n *node, x, y float64) {
	s := n.state
	class := "state " + strings.ToLower(plainWord(s.kind))
	f := d.marks[s.name]
	if f.mark != untouched {
		class += " " + markNames()[f.mark][0]
	}
	if s.lost {
		class += " lost"
	}
	d.put(`<g class="%s" data-state="%s"><title>%s</title>`, class, s.name, s.told(f))
	left, right := x-n.width/2, x+n.width/2
	if s.stack {
		d.put(`<path class="shape" d="%s"/>`, outline("", left+6, y+6, n.width, n.height))
	}
	d.put(`<path class="shape" d="%s"/>`, outline(s.kind, left, y, n.width, n.height))
	below := d.lines("name", n.name, nameSize, x, y+pad*0.4)
	d.lines("caption", n.cap, captionSize, x, below)
	if n.loops {
		d.put(`<path class="edge choice" d="M%s %sc34 -12 34 24 6 14"/><path class="tip choice" d="M%s %sl9 -3l-2 8z"/>`, right, y+n.height/2-6, right, y+n.height/2+7)
		for k, line := range n.loop {
			d.put(`<text class="label left" x="%s" y="%s">%s</text>`, right+30, y+n.height/2+float64(k)*labelSize*leading, line)
		}
	}
	if f.mark != untouched {
		out := outside(s.kind)
		d.badge(f.mark, left-out, y-out)
		if f.entered > 1 {
			d.put(`<text class="times" x="%s" y="%s">×%s</text>`, right, y-3, fmt.Sprint(f.entered))
		}
	}
	for k, b := range s.blocks {
		at := n.slots[k]
		d.put(`<rect class="inner" x="%s" y="%s" width="%s" height="%s" rx="6"/>`+"\n", left+at.x, y+at.y, b.width, b.height)
		d.block(b, left+at.x, y+at.y)
	}
	d.WriteString("</g>\n")
}

// plainWord is a kind that can be the name of a class.
func plainWord(kind string) string {
	switch kind {
	case "Task", "Pass", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map":
		return kind
	}
	return "unknown"
}

// told is all about the state in words, for who points at it and for screen
// readers.
func (s *state) told(f fate) string {
	parts := []string{s.name + " (" + s.kind + ")"}
	if s.comment != "" {
		parts = append(parts, s.comment)
	}
	if f.mark != untouched {
		parts = append(parts, markNames()[f.mark][1])
	}
	for _, r := range s.retries {
		parts = append(parts, "Retry on "+r)
	}
	for _, e := range s.exits {
		if e.label != "" {
			parts = append(parts, e.label+" → "+e.to)
		}
	}
	if s.lost {
		parts = append(parts, "No transition leads to it")
	}
	return strings.Join(parts, "\n")
}

// outside is how far out of the corner of a kind's box a badge is, so that it
// lies on the outline and covers no letter.
func outside(kind string) float64 {
	switch kind {
	case "Choice", "Wait", "Succeed", "Fail":
		return 2
	}
	return 7
}

// outline is the shape of a kind of state, as a path.
func outline(kind string, x, y, w, h float64) string {
	var p strings.Builder
	to := func(command string, numbers ...float64) {
		p.WriteString(command)
		for n, v := range numbers {
			if n > 0 {
				p.WriteByte(' ')
			}
			p.WriteString(short(v))
		}
	}
	corner := 8.0
	switch kind {
	case "Choice":
		to("M", x+16, y)
		to("H", x+w-16)
		to("L", x+w, y+h/2)
		to("L", x+w-16, y+h)
		to("H", x+16)
		to("L", x, y+h/2)
		return p.String() + "z"
	case "Fail":
		corner = 14
		to("M", x+corner, y)
		to("H", x+w-corner)
		to("l", corner, corner)
		to("V", y+h-corner)
		to("l", -corner, corner)
		to("H", x+corner)
		to("l", -corner, -corner)
		to("V", y+corner)
		return p.String() + "z"
	case "Wait", "Succeed":
		corner = h / 2
	case "Pass":
		corner = 0
	}
	to("M", x+corner, y)
	to("H", x+w-corner)
	to("a", corner, corner, 0, 0, 1, corner, corner)
	to("V", y+h-corner)
	to("a", corner, corner, 0, 0, 1, -corner, corner)
	to("H", x+corner)
	to("a", corner, corner, 0, 0, 1, -corner, -corner)
	to("V", y+corner)
	to("a", corner, corner, 0, 0, 1, corner, -corner)
	return p.String() + "z"
}

const legendLine = 22.0

// legend lists the marks that the picture has, in the order of their weight.
func (d *drawing) legend() []mark {
	has := map[mark]bool{}
	for _, f := range d.marks {
		has[f.mark] = true
	}
	var out []mark
	for m := succeeded; m <= stopped; m++ {
		if has[m] {
			out = append(out, m)
		}
	}
	return out
}

func widestLegend(marks []mark) float64 {
	most := 0.0
	for _, m := range marks {
		most = max(most, wide(markNames()[m][1], captionSize))
	}
	return most + 28
}

func (d *drawing) legendEntry(m mark, x, y float64) {
	names := markNames()[m]
	d.put(`<g class="legend %s">`, names[0])
	d.badge(m, x, y)
	d.put(`<text class="caption left" x="%s" y="%s">%s</text></g>`+"\n", x+24, y+12, names[1])
}

// badge is the sign of a mark: it is not told by its colour alone.
func (d *drawing) badge(m mark, x, y float64) {
	sign := map[mark]string{
		succeeded: "M4 8l3 3l5 -6", running: "M6 4.500l5 3.500l-5 3.500z", waiting: "M8 4a2 2 0 0 1 0 4a2 2 0 0 1 0 -4M4 12.500c0 -4 8 -4 8 0",
		retrying: "M11.500 6a4 4 0 1 0 .5 3M12 3v3.500h-3.500", parked: "M6 4.500v7M10 4.500v7", caught: "M8 4v5M8 11v1",
		failed: "M5 5l6 6M11 5l-6 6", stopped: "M5 5h6v6h-6z",
	}[m]
	d.put(`<g class="badge" transform="translate(%s %s)"><circle cx="8" cy="8" r="7.500"/><path d="%s"/></g>`, x, y, sign)
}
