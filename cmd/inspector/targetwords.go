package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"inspector/store"
	"inspector/web"
)

// targetWords says how a target does, for people.
func targetWords(t web.Target) string {
	words := []string{fmt.Sprintf("%d waiting", t.Depth)}
	if t.Depth > 0 {
		words = append(words, "the oldest for "+ageWords(t.Oldest))
	}
	if t.Rate > 0 {
		words = append(words, fmt.Sprintf("%.3g a second", t.Rate))
	}
	if t.Depth > 0 && t.Drain != nil {
		words = append(words, "done in "+ageWords(*t.Drain))
	}
	if t.Parked > 0 {
		words = append(words, fmt.Sprintf("%d parked", t.Parked))
	}
	text := t.Name + ": " + strings.Join(words, ", ")
	if t.Error != "" {
		text += ": " + firstLine(t.Error)
	}
	if t.Remedy != "" {
		text += "; " + t.Remedy
	}
	return text
}

// ageWords is a time of so many seconds, in the unit that says most.
func ageWords(seconds float64) string {
	switch {
	case seconds < 90:
		return fmt.Sprintf("%.0f s", math.Ceil(seconds))
	case seconds < 90*60:
		return fmt.Sprintf("%.0f min", seconds/60)
	case seconds < 48*3600:
		return fmt.Sprintf("%.0f h", seconds/3600)
	}
	return fmt.Sprintf("%.0f days", seconds/86400)
}

// targetLines are what the doctor says of each target: the running appliance
// is asked; without one the journal says what waits.
func targetLines(ctx context.Context, c Config) []finding {
	var out []finding
	s, err := runningStatus(ctx, order{config: c, address: c.address("")})
	if err == nil && s.Station == c.Station {
		for _, t := range s.Targets {
			out = append(out, finding{"target", targetWords(t), t.State == web.TargetFailing || t.State == web.TargetParked})
		}
		return out
	}
	queues, err := store.ReadQueues(ctx, c.Data, time.Now())
	if err != nil {
		return []finding{{"target", fmt.Sprintf("the appliance does not run, so nobody knows what waits (%v)", err), false}}
	}
	targets, err := c.targets()
	if err != nil {
		return []finding{{"target", err.Error(), true}}
	}
	for _, t := range targets {
		w := web.Target{Name: t.name}
		for _, lane := range t.lanes {
			for _, q := range queues {
				if q.Lane == lane {
					w.Depth, w.Parked, w.Oldest = w.Depth+int(q.Depth-q.Parked), w.Parked+int(q.Parked), max(w.Oldest, q.Oldest.Seconds())
				}
			}
		}
		if w.Parked > 0 {
			w.Remedy = "start the appliance; inspector workflow parked says why"
		}
		out = append(out, finding{"target", targetWords(w) + " (the appliance does not run)", w.Parked > 0})
	}
	return out
}

// targets are those that the running appliance would have.
func (c Config) targets() ([]target, error) {
	rules, functions, err := c.readRules()
	channels, wrong := c.readChannels()
	if err = errors.Join(err, wrong); err != nil {
		return nil, err
	}
	outside, err := openOutside(c)
	if err != nil {
		return nil, err
	}
	outside.http.Close()
	return append(targetsOf(c, rules, functions, outside.connections, outside.names()), channelTargets(channels)...), nil
}

// A finding is one line of the doctor.
type finding struct {
	part  string
	words string
	fault bool
}

// String is the line.
func (f finding) String() string {
	return fmt.Sprintf("%-8s  %-5s  %s", f.part, cmp.Or(map[bool]string{true: "FAULT"}[f.fault], "ok"), f.words)
}
