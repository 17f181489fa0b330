package pattern

import (
	"fmt"
	"slices"
)

// A wildcard is a text in which star stands for any text, none too.
type wildcard []rune

const star = -1

// wildcardOf reads a pattern in which * is the wildcard and \ makes * or \
// literal; fault is AWS's word about one that is none.
func wildcardOf(s string) (w wildcard, fault string) {
	pos := 1 // AWS counts bytes, and the opening quote
	runes := []rune(s)
	for i := 0; i < len(runes); i++ {
		following := rune(0)
		if i+1 < len(runes) {
			following = runes[i+1]
		}
		switch r := runes[i]; {
		case r == '*' && following == '*':
			return nil, fmt.Sprintf("Consecutive wildcard characters at pos %d", pos)
		case r == '*':
			w = append(w, star)
		case r == '\\' && (following == '*' || following == '\\'):
			w = append(w, following)
			i, pos = i+1, pos+1
		case r == '\\':
			return nil, fmt.Sprintf("Invalid escape character at pos %d", pos)
		default:
			w = append(w, r)
			pos += len(string(r)) - 1
		}
		pos++
	}
	return w, ""
}

// matches takes time in proportion to the product of both lengths at most.
func (w wildcard) matches(s string) bool {
	text := []rune(s)
	at, back, from := 0, -1, 0 // in w; behind the last star, and where its text began
	for i := 0; i < len(text); {
		switch {
		case at < len(w) && w[at] == star:
			at++
			back, from = at, i
		case at < len(w) && w[at] == text[i]:
			at++
			i++
		case back >= 0:
			from++
			at, i = back, from
		default:
			return false
		}
	}
	return !slices.ContainsFunc(w[at:], func(r rune) bool { return r != star })
}

// maxComplexity is the number of places of a wildcard at which a reader may
// have to be at once. AWS has not published its own; of what was recorded the
// harmless ones need at most 7 and the refused one 10.
const maxComplexity = 9

const tooComplex = "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a wildcard character"

// complex reports whether some text makes a reader of w be at too many
// places at once. It follows every set of places that texts lead to, and gives
// up, with yes, on a pattern that has very many.
func (w wildcard) complex() bool {
	seen := map[string]bool{}
	queue := [][]bool{make([]bool, len(w)+1)}
	queue[0][0] = true
	for len(queue) > 0 {
		places := queue[0]
		queue = queue[1:]
		for _, r := range w.alphabet(places) {
			after, size := w.step(places, r)
			key := fmt.Sprint(after)
			if size > maxComplexity || len(seen) > 4096 {
				return true
			}
			if !seen[key] {
				seen[key] = true
				queue = append(queue, after)
			}
		}
	}
	return false
}

// alphabet is what may come next from these places, 0 for any other rune.
func (w wildcard) alphabet(places []bool) []rune {
	out := []rune{0}
	for i, here := range places {
		if here && i < len(w) && w[i] != star {
			out = append(out, w[i])
		}
		if here && i+1 < len(w) && w[i] == star {
			out = append(out, w[i+1])
		}
	}
	return out
}

// step gives the places after r, place i being before w[i], and how many ways
// lead there: by a star that takes r, or by r itself.
func (w wildcard) step(places []bool, r rune) (after []bool, ways int) {
	after = make([]bool, len(places))
	take := func(i int) {
		after[i] = true
		ways++
	}
	for i, here := range places {
		switch {
		case !here || i == len(w):
		case w[i] == star:
			take(i)
			if i+1 < len(w) && w[i+1] == r {
				take(i + 2)
			}
		case w[i] == r:
			take(i + 1)
		}
	}
	return after, ways
}
