package graph

import (
	"fmt"
	"strconv"
	"strings"
)

// A drawing is the document so far.
type drawing struct {
	strings.Builder
	marks map[string]fate // nil: the definition alone
}

const margin = 10.0

// document is the whole picture of an arranged machine.
func (d *drawing) document(top *block) []byte {
	legend := d.legend()
	width, height := top.width+2*margin, top.height+2*margin
	if len(legend) > 0 {
		width = max(width, 2*margin+widestLegend(legend))
		height += float64(len(legend))*legendLine + margin
	}
	subject := "definition"
	if d.marks != nil {
		subject = "execution"
	}
	d.put(`<svg xmlns="http://www.w3.org/2000/svg" width="%s" height="%s" viewBox="0 0 %s %s" role="img" class="%s">`, width, height, width, height, subject)
	d.WriteString("\n<title>States and transitions of a workflow</title>\n<style>" + style + "</style>\n")
	d.put(`<rect class="paper" width="%s" height="%s"/>`+"\n", width, height)
	d.block(top, (width-top.width)/2, margin)
	for n, m := range legend {
		d.legendEntry(m, margin, top.height+2*margin+float64(n)*legendLine)
	}
	d.WriteString("</svg>\n")
	return []byte(d.String())
}

// put writes with %s for each number or text; texts are escaped.
func (d *drawing) put(format string, args ...any) {
	said := make([]any, len(args))
	for n, a := range args {
		switch v := a.(type) {
		case float64:
			said[n] = short(v)
		case string:
			said[n] = escaped(v)
		default:
			said[n] = a
		}
	}
	fmt.Fprintf(d, format, said...)
}

// short is a number with at most one decimal.
func short(v float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
}

// escaped is text inside of XML. What XML cannot hold is left out.
func escaped(v string) string {
	v = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0xFFFE || r == 0xFFFF {
			return -1
		}
		return r
	}, strings.ToValidUTF8(v, "�"))
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;").Replace(v)
}

// block draws a block whose upper left corner is at x, y.
func (d *drawing) block(b *block, x, y float64) {
	for _, e := range b.edges {
		d.edge(e, x, y)
	}
	for _, n := range b.nodes {
		d.node(n, x+n.x, y+n.y)
	}
}

// edge draws the line of an edge. It leaves and arrives vertically, and passes
// a layer on a straight line.
func (d *drawing) edge(e *edge, x, y float64) {
	class := [...]string{byNext: "next", byChoice: "choice", byDefault: "default", byCatch: "catch"}[e.kind]
	var path strings.Builder
	var px, py float64
	var tipX, tipY float64
	for n, v := range e.path[:len(e.path)-1] {
		lower := e.path[n+1]
		fromX, fromY := x+v.port(lower, v.down), y+v.y+v.height
		toX, toY := x+lower.port(v, lower.up), y+lower.y
		if n == 0 {
			fmt.Fprintf(&path, "M%s %s", short(fromX), short(fromY))
			if e.back {
				tipX, tipY = fromX, fromY
			}
		} else {
			fmt.Fprintf(&path, "L%s %s", short(px), short(fromY))
		}
		if fromX != toX {
			floor, roof := y+v.floor, y+lower.roof // nothing stands between them
			mid := (floor + roof) / 2
			fmt.Fprintf(&path, "L%s %sC%s %s %s %s %s %s", short(fromX), short(floor), short(fromX), short(mid), short(toX), short(mid), short(toX), short(roof))
		}
		fmt.Fprintf(&path, "L%s %s", short(toX), short(toY))
		px, py = toX, toY
	}
	d.put(`<path class="edge %s" d="%s"/>`, class, path.String())
	switch {
	case e.to.kind == jumpNode:
	case e.back:
		d.put(`<path class="tip %s" d="M%s %sl-4 8h8z"/>`, class, tipX, tipY)
	default:
		d.put(`<path class="tip %s" d="M%s %sl-4 -8h8z"/>`, class, px, py)
	}
	d.WriteByte('\n')
}

// port is where the line to one of the neighbours meets the node: lines are
// side by side, in the order of the neighbours.
func (n *node) port(to *node, neighbours []*node) float64 {
	if n.kind != stateNode || len(neighbours) < 2 {
		return n.x
	}
	before := 0
	for _, o := range neighbours {
		if o.place < to.place {
			before++
		}
	}
	room := min(n.width-4*pad, 24*float64(len(neighbours)-1))
	return n.x + room*(float64(before)/float64(len(neighbours)-1)-0.5)
}
