package asl

import (
	"regexp"
	"strings"
	"time"
)

// datedToday completes a moment whose picture lacks the year, or the whole
// date, which the library would take from the clock.
func datedToday(text, picture any, now time.Time) (any, any) {
	t, isText := text.(string)
	p, isPicture := picture.(string)
	if !isText || !isPicture || strings.ContainsAny(strings.Join(markers.FindAllString(p, -1), ""), "YXWw") {
		return text, picture
	}
	parts := strings.Join(markers.FindAllString(p, -1), "")
	layout, before := "2006", "[Y0001] "
	switch {
	case strings.ContainsAny(parts, "Md"):
	case strings.Contains(parts, "D"):
		layout, before = "2006-01", "[Y0001]-[M01] "
	case strings.ContainsAny(parts, "Hh"):
		layout, before = "2006-01-02", "[Y0001]-[M01]-[D01] "
	default:
		layout, before = "2006-01-02T15", "[Y0001]-[M01]-[D01]T[H01] "
	}
	return now.UTC().Format(layout) + " " + t, before + p
}

// markers finds the first letter of every marker of a picture.
var markers = regexp.MustCompile(`\[\s*[A-Za-z]`)
