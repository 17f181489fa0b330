package people

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Digest is many messages in one.
type Digest struct {
	Count     int       `json:"count"`
	Reminders int       `json:"reminders"` // of them were told before
	From      time.Time `json:"from"`
	To        time.Time `json:"to"`
	By        string    `json:"by"`       // what the sections are of
	Sections  []Section `json:"sections"` // the largest first
	Items     []Item    `json:"items"`    // the gravest, then the newest
	Left      int       `json:"left"`     // that are not among the items
	Keys      []string  `json:"keys"`     // of the messages, the first 1,000
}

// A Section is how many messages have something in common.
type Section struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

// An Item is one message of a digest.
type Item struct {
	Title    string   `json:"title"`
	Severity Severity `json:"severity"`
	At       string   `json:"at"` // RFC 3339
	URL      string   `json:"url,omitempty"`
	Board    string   `json:"board,omitempty"` // ID
}

// What bounds a digest.
const (
	maxItems    = 10
	maxSections = 10
	maxKeys     = 1000
)

// What sections of a digest can be of.
const (
	BySeverity = "severity"
	ByRecipe   = "recipe"
	ByDefect   = "defect"
	ByRule     = "rule"
)

// DigestOf makes one message of all, of which there is at least one; of one it
// is that one. Its key is made of theirs: a repeat with the same ones has the
// same. It keeps nothing of all.
func DigestOf(all []Message, by, base string) Message {
	if len(all) == 1 {
		return all[0]
	}
	ranked := slices.Clone(all)
	slices.SortStableFunc(ranked, func(a, b Message) int {
		return cmp.Or(cmp.Compare(rank(a.Severity), rank(b.Severity)), b.At.Compare(a.At))
	})
	d := &Digest{Count: len(all), By: cmp.Or(by, BySeverity), From: all[0].At, To: all[0].At, Items: []Item{}, Keys: []string{}}
	kinds, sections := map[Severity]int{}, map[string]int{}
	sum := sha256.New()
	for _, m := range all {
		kinds[m.Severity]++
		for _, s := range section(m, d.By) {
			sections[s]++
		}
		if m.Reminder > 0 {
			d.Reminders++
		}
		if m.At.Before(d.From) {
			d.From = m.At
		}
		if m.At.After(d.To) {
			d.To = m.At
		}
	}
	keys := make([]string, len(all))
	for n, m := range all {
		keys[n] = m.Key
	}
	slices.Sort(keys)
	sum.Write([]byte(strings.Join(keys, "\x00")))
	d.Keys = keys[:min(len(keys), maxKeys)]
	names := byCount(sections)
	for _, n := range names[:min(len(names), maxSections)] {
		d.Sections = append(d.Sections, Section{n, sections[n]})
	}
	for _, m := range ranked[:min(len(ranked), maxItems)] {
		d.Items = append(d.Items, itemOf(m))
	}
	d.Left = len(all) - len(d.Items)
	first := ranked[0]
	out := Message{
		Layout: V1, Key: "digest/" + hex.EncodeToString(sum.Sum(nil)[:16]), Kind: KindDigest, Severity: first.Severity, Station: first.Station,
		Where: first.Where, At: d.To, Digest: d, Links: []Link{}, Title: digestTitle(kinds, d.Reminders), Picture: first.Picture,
	}
	if d.Reminders == d.Count {
		out.Reminder = first.Reminder
	}
	if base != "" {
		out.Links = []Link{{"Review", strings.TrimRight(base, "/") + "/"}}
	}
	return out
}

func rank(s Severity) int { return slices.Index(severities(), s) }

func itemOf(m Message) Item {
	i := Item{Title: m.Title, Severity: m.Severity, At: m.At.Format(time.RFC3339)}
	if m.Board != nil {
		i.Board = m.Board.ID
	}
	if len(m.Links) > 0 {
		i.URL = m.Links[0].URL
	}
	return i
}

// section is what the message is counted under.
func section(m Message, by string) []string {
	const other = "other"
	switch {
	case by == BySeverity:
		return []string{string(m.Severity)}
	case by == ByRule:
		return []string{cmp.Or(m.Rule, other)}
	case m.Board == nil:
		return []string{other}
	case by == ByRecipe:
		return []string{cmp.Or(m.Board.Recipe, other)}
	}
	classes := []string{}
	for _, d := range m.Board.Defects {
		if !slices.Contains(classes, d.Class) {
			classes = append(classes, d.Class)
		}
	}
	if len(classes) == 0 {
		return []string{other}
	}
	return classes
}

// digestTitle says what there is how many of: 412 boards failed, 3 are unsure.
func digestTitle(kinds map[Severity]int, reminders int) string {
	words := []string{}
	for _, k := range []struct {
		of        Severity
		one, many string
	}{{Trouble, "1 trouble", "%d troubles"}, {Fail, "1 board failed", "%d boards failed"}, {Unsure, "1 board is unsure", "%d boards are unsure"}, {Info, "1 other message", "%d other messages"}} {
		switch n := kinds[k.of]; {
		case n == 1:
			words = append(words, k.one)
		case n > 1:
			words = append(words, fmt.Sprintf(k.many, n))
		}
	}
	title := strings.Join(words, ", ")
	if reminders > 0 {
		title += fmt.Sprintf(" (%d not acknowledged yet)", reminders)
	}
	return title
}
