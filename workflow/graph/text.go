package graph

import (
	"strings"
	"unicode"
)

// Sizes of letters, in pixels.
const (
	nameSize    = 14.0
	captionSize = 11.5
	labelSize   = 11.5
	leading     = 1.3 // from line to line, in letter sizes
)

// wide estimates how wide the line is at that size of letters. It is an upper
// bound for the usual fonts: a picture must fit whichever the reader has.
func wide(line string, size float64) float64 {
	sum := 0.0
	for _, r := range line {
		switch {
		case strings.ContainsRune("ijl.,:;'|!I", r):
			sum += 0.33
		case strings.ContainsRune("frt ()[]{}/-\"`", r):
			sum += 0.44
		case strings.ContainsRune("mwMW@%&≥≤→…", r):
			sum += 1
		case r > 0x1100: // ideographs, pictographs
			sum += 1.15
		case unicode.IsUpper(r) || r > unicode.MaxLatin1:
			sum += 0.74
		default:
			sum += 0.63
		}
	}
	return sum * size
}

func widest(lines []string, size float64) float64 {
	most := 0.0
	for _, line := range lines {
		most = max(most, wide(line, size))
	}
	return most
}

// fold breaks what is too long into at most so many lines; … stands for what
// has no place. Control characters become spaces.
func fold(said string, size, width float64, most int) []string {
	clean := []rune(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(said, "�")))
	var lines []string
	for len(clean) > 0 {
		n := fitting(clean, size, width)
		if n < len(clean) && len(lines) == most-1 {
			return append(lines, strings.TrimSpace(string(clean[:max(n-1, 0)]))+"…")
		}
		if line := strings.TrimSpace(string(clean[:n])); line != "" {
			lines = append(lines, line)
		}
		clean = clean[n:]
	}
	return lines
}

// fitting is how many runes go on one line: up to a good place to break, if
// there is one in its second half.
func fitting(runes []rune, size, width float64) int {
	n, sum := 0, 0.0
	for n < len(runes) {
		if sum += wide(string(runes[n]), size); sum > width {
			break
		}
		n++
	}
	if n = max(n, 1); n == len(runes) {
		return n
	}
	for _, good := range []func(before, after rune) bool{
		func(before, _ rune) bool { return before == ' ' },
		func(before, _ rune) bool { return strings.ContainsRune("-_.:/,", before) },
		func(before, after rune) bool { return unicode.IsLower(before) && unicode.IsUpper(after) },
	} {
		for k := n; k > n/2; k-- {
			if good(runes[k-1], runes[k]) {
				return k
			}
		}
	}
	return n
}
