package main

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// hours are a part of every day by the clock on the wall, in minutes since
// midnight. It may go over midnight. from == to: the whole day.
type hours struct{ from, to int }

var hoursForm = regexp.MustCompile(`^([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])$`)

// parseHours reads 22:00-05:00; empty is the whole day.
func parseHours(text string) (h hours, err error) {
	if text == "" {
		return h, nil
	}
	m := hoursForm.FindStringSubmatch(text)
	if m == nil {
		return h, fmt.Errorf("%.40q is not two times such as 22:00-05:00", text)
	}
	var n [4]int
	for i := range n {
		n[i], _ = strconv.Atoi(m[i+1]) // digits, says the form
	}
	if h = (hours{60*n[0] + n[1], 60*n[2] + n[3]}); h.from == h.to {
		return h, fmt.Errorf("%q ends when it begins; leave it empty for the whole day", text)
	}
	return h, nil
}

// next is at, or when the next of these hours begin after it by the clock on
// the wall of where. It is pure.
func (h hours) next(at time.Time, where *time.Location) time.Time {
	if h.from == h.to {
		return at
	}
	y, m, d := at.In(where).Date()
	for day := d - 1; ; day++ {
		ends := day
		if h.to < h.from {
			ends++
		}
		begin := time.Date(y, m, day, 0, h.from, 0, 0, where)
		switch end := time.Date(y, m, ends, 0, h.to, 0, 0, where); {
		case !at.Before(end):
		case at.Before(begin):
			return begin
		default:
			return at
		}
	}
}
