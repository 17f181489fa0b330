package model

import (
	"fmt"
	"strconv"
	"strings"
)

// Text is the draft as model.yaml, with a comment at everything to check.
func (d Draft) Text() []byte {
	var b strings.Builder
	line := func(indent, key, value, check string) {
		if value == "" {
			return
		}
		if note := d.Check[check]; check != "" && note != "" {
			value += "   # CHECK: " + note
		}
		fmt.Fprintf(&b, "%s%s: %s\n", indent, key, value)
	}
	in, how := d.Inputs[0], d.Decode
	line("", "name", d.Name, "")
	line("", "version", d.Version, "")
	line("", "task", string(d.Task), "task")
	line("", "file", strconv.Quote(d.File), "")
	line("", "sha256", d.SHA256, "")
	line("", "licence", strconv.Quote(d.Licence), "licence")
	b.WriteString("inputs:\n")
	line("  - ", "name", strconv.Quote(in.Name), "")
	line("    ", "layout", in.Layout, "")
	line("    ", "type", in.Type, "")
	line("    ", "width", strconv.Itoa(in.Width), "width")
	line("    ", "height", strconv.Itoa(in.Height), "")
	line("    ", "colour", in.Colour, "colour")
	line("    ", "golden", truth(in.Golden), "golden")
	line("    ", "fit", in.Fit, "fit")
	line("    ", "mean", floatList(in.Mean), "mean")
	line("    ", "scale", floatList(in.Scale), "")
	b.WriteString("outputs:\n")
	for _, o := range d.Outputs {
		line("  - ", "name", strconv.Quote(o.Name), "")
	}
	b.WriteString("decode:\n")
	line("  ", "activation", how.Activation, "activation")
	line("  ", "form", how.Form, "")
	if how.Stride > 0 {
		line("  ", "stride", strconv.Itoa(how.Stride), "")
	}
	if how.NMS > 0 {
		line("  ", "nms", floatText(how.NMS), "nms")
	}
	labels := make([]string, len(d.Labels))
	for i, l := range d.Labels {
		labels[i] = strconv.Quote(l)
	}
	line("", "labels", "["+strings.Join(labels, ", ")+"]", "labels")
	if d.Good != "" {
		line("", "good", strconv.Quote(d.Good), "good")
	} else if note := d.Check["good"]; note != "" {
		fmt.Fprintf(&b, "# good: LABEL   # CHECK: %s\n", note)
	}
	line("", "thresholds", fmt.Sprintf("{fail: %s, pass: %s}", floatText(d.Thresholds.Fail), floatText(d.Thresholds.Pass)), "thresholds")
	return []byte(b.String())
}

func truth(v bool) string {
	if v {
		return "true"
	}
	return ""
}

func floatText(v float32) string { return strconv.FormatFloat(float64(v), 'g', -1, 32) }

func floatList(values []float32) string {
	if len(values) == 0 {
		return ""
	}
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = floatText(v)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}
