package asl

import "strings"

// meant is a hint for a name that is not known: the one that somebody who
// mistyped it may have meant, or nothing.
func meant(name string, known []string) string {
	best, least := "", 3
	if len(known) > 200 || len(name) > 80 { // it is only a hint: it must not cost
		return ""
	}
	for _, k := range known {
		if len(k) > 80 {
			continue
		}
		if d := Distance(strings.ToLower(name), strings.ToLower(k)); d < least && d < len(k)/2+1 {
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	return "did you mean " + best + "?"
}

// Distance is Levenshtein's: the bytes to insert, delete or replace between a
// name that somebody wrote and one that is known.
func Distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		left := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := left
			if a[i] != b[j] {
				cost = min(left, row[j], row[j+1]) + 1
			}
			left, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
