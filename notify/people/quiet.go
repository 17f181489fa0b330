package people

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Quiet says when people are not disturbed: what comes then waits for the end
// and goes as one.
type Quiet struct {
	Hours  []string   `yaml:"hours"`  // 22:00-06:00, by the clock of Zone; the end may be on the next day
	Days   []string   `yaml:"days"`   // mon … sun: quiet from midnight to midnight
	Zone   string     `yaml:"zone"`   // Local, or a name such as Europe/Berlin
	Except []Severity `yaml:"except"` // go nonetheless
}

// Set reports whether there are quiet hours at all.
func (q Quiet) Set() bool { return len(q.Hours)+len(q.Days) > 0 }

// Disturbs reports whether messages of the severity are never held back.
func (q Quiet) Disturbs(s Severity) bool { return slices.Contains(q.Except, s) }

// Until gives the end of the quiet hours that now lies in, or zero. It follows
// the clock of the zone: on the day of the change to summer time a night is an
// hour shorter. A quiet time that has no end within two weeks is none.
func (q Quiet) Until(now time.Time) time.Time {
	zone, err := time.LoadLocation(q.Zone)
	if err != nil {
		zone = time.Local
	}
	at := now.In(zone)
	for range 60 { // windows that touch are one
		end := q.end(at)
		if end.IsZero() {
			break
		}
		at = end
	}
	if !at.After(now) || at.Sub(now) > 14*24*time.Hour {
		return time.Time{}
	}
	return at
}

// end gives the latest end of the windows that at lies in, or zero.
func (q Quiet) end(at time.Time) (end time.Time) {
	year, month, day := at.Date()
	on := func(days, minutes int) time.Time {
		return time.Date(year, month, day+days, minutes/60, minutes%60, 0, 0, at.Location())
	}
	later := func(from, to time.Time) {
		if !at.Before(from) && at.Before(to) && to.After(end) {
			end = to
		}
	}
	for _, h := range q.Hours {
		from, to, err := span(h)
		if err != nil {
			continue
		}
		over := 0
		if to <= from {
			over = 1
		}
		later(on(-1, from), on(over-1, to)) // began yesterday
		later(on(0, from), on(over, to))
	}
	if slices.Contains(q.Days, strings.ToLower(at.Weekday().String()[:3])) {
		later(on(0, 0), on(1, 0))
	}
	return end
}

var spanForm = regexp.MustCompile(`^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)$`)

// span reads hours as minutes since midnight.
func span(s string) (from, to int, err error) {
	m := spanForm.FindStringSubmatch(s)
	if m == nil {
		return 0, 0, fmt.Errorf("%q is not FROM-TO, such as 22:00-06:00", s)
	}
	n := [4]int{}
	for i := range n {
		n[i], _ = strconv.Atoi(m[i+1]) // the expression allows no other
	}
	from, to = n[0]*60+n[1], n[2]*60+n[3]
	if to > 24*60 || from == to {
		return 0, 0, fmt.Errorf("%q is no time: it ends when it begins, or after 24:00", s)
	}
	return from, to, nil
}

func (q Quiet) faults(r report) {
	for _, h := range q.Hours {
		_, _, err := span(h)
		r.want(err == nil, "quiet.hours", "%v", err)
	}
	days := []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
	for _, d := range q.Days {
		r.oneOf("quiet.days", d, days...)
	}
	_, err := time.LoadLocation(q.Zone)
	r.want(err == nil, "quiet.zone", "%v; want Local or a name such as Europe/Berlin", err)
	for _, s := range q.Except {
		r.want(slices.Contains(severities(), s), "quiet.except", "%q is unknown; want any of trouble, fail, unsure, info", s)
	}
	missing := slices.ContainsFunc(days, func(d string) bool { return !slices.Contains(q.Days, d) })
	r.want(missing, "quiet.days", "every day is quiet: nothing would ever be sent")
	if len(q.Hours) > 0 && missing && err == nil {
		q.endless(r)
	}
}

// endless finds hours that leave no time to send.
func (q Quiet) endless(r report) {
	for at := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC); at.Day() < 19; at = at.Add(time.Minute) {
		if q.end(at).IsZero() {
			return
		}
	}
	r("quiet.hours", "they leave no time at which anything could be sent")
}
