package main

import (
	"fmt"
	"math"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// A size is a number of bytes, written with its unit: 256MiB, 2GB.
type size int64

// The units of a size, in the order in which they are tried.
var (
	sizeForm  = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) ?([kKMGT]i?B|B|)$`)
	sizeUnits = []struct {
		name  string
		bytes size
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"KB", 1e3}, {"kiB", 1 << 10}, {"B", 1}, {"", 1}}
)

// parseSize reads what String gives, and fractions of a unit.
func parseSize(text string) (size, error) {
	m := sizeForm.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("%.40q is not a size such as 256MiB or 2GB", text)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	for _, u := range sizeUnits {
		if u.name == m[2] {
			n *= float64(u.bytes)
			break
		}
	}
	if err != nil || n > math.MaxInt64/2 {
		return 0, fmt.Errorf("%.40q is larger than any disk", text)
	}
	return size(n), nil
}

// String is the size in the largest unit in which it is a whole number.
func (s size) String() string {
	for _, u := range sizeUnits {
		if s != 0 && s%u.bytes == 0 {
			return strconv.FormatInt(int64(s/u.bytes), 10) + u.name
		}
	}
	return "0B"
}

// MarshalYAML implements yaml.Marshaler.
func (s size) MarshalYAML() (any, error) { return s.String(), nil }

// UnmarshalYAML implements yaml.Unmarshaler.
func (s *size) UnmarshalYAML(n *yaml.Node) error {
	read, err := parseSize(n.Value)
	if err != nil || n.Kind != yaml.ScalarNode {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: cannot unmarshal !!str `%s` into main.size", n.Line, n.Value)}}
	}
	*s = read
	return nil
}

// DiskConfig says at how much free space what is given up. On a small disk each
// is at most a share of it.
type DiskConfig struct {
	Warn         size `yaml:"warn"`
	StopPasses   size `yaml:"stop_passes"`
	StopTriggers size `yaml:"stop_triggers"`
	Reserve      size `yaml:"reserve"`
}

func (c DiskConfig) addFaults(f *faults) {
	f.want(c.StopTriggers > 0, "disk.stop_triggers", "%v is not positive; boards that nobody can remember must not be judged", c.StopTriggers)
	f.want(c.StopPasses >= c.StopTriggers, "disk.stop_passes", "%v is less than disk.stop_triggers (%v); pictures of passes are given up first", c.StopPasses, c.StopTriggers)
	f.want(c.Warn >= c.StopPasses, "disk.warn", "%v is less than disk.stop_passes (%v); the warning comes first", c.Warn, c.StopPasses)
	f.want(c.Reserve <= c.StopTriggers/2, "disk.reserve", "%v is more than half of disk.stop_triggers (%v); giving it free must not look like room for boards", c.Reserve, c.StopTriggers)
}

// A diskLevel says what is given up for want of room.
type diskLevel int

const (
	diskRoomy       diskLevel = iota
	diskLow                   // somebody should look
	diskNoPasses              // pictures of boards that passed are not kept
	diskNoTriggers            // no board is accepted
	diskLevelsCount           // how many there are
)

// String is the word of the status and of the event.
func (l diskLevel) String() string {
	return [diskLevelsCount]string{"ok", "warn", "stop-passes", "stop-triggers"}[l]
}

// watermarks are the bytes below which each level begins, and the reserve.
type watermarks struct {
	below   [diskLevelsCount]int64 // by level; of diskRoomy nothing
	reserve int64
}

// on gives the watermarks for a disk of total bytes: a tenth of it is little for
// any, a hundredth enough.
func (c DiskConfig) on(total int64) (m watermarks) {
	m.below[diskLow] = min(int64(c.Warn), total/10)
	m.below[diskNoPasses] = min(int64(c.StopPasses), total/20)
	m.below[diskNoTriggers] = min(int64(c.StopTriggers), total/50)
	m.reserve = min(int64(c.Reserve), total/100)
	return m
}

// lifted is how much must be free for the level to end: a quarter more than
// where it began, so that a disk at a mark does not change its mind with
// every board.
func (m watermarks) lifted(l diskLevel) int64 { return m.below[l] + m.below[l]/4 }

// after is the level once so much is free. It gets worse at once, and better
// one mark after the other.
func (m watermarks) after(before diskLevel, free int64) diskLevel {
	worst := diskRoomy
	for l := diskLow; l < diskLevelsCount; l++ {
		if free < m.below[l] {
			worst = l
		}
	}
	for before > worst && free >= m.lifted(before) {
		before--
	}
	return max(before, worst)
}

// A reserveMove is what is to be done with the reserve.
type reserveMove int

const (
	keepReserve reserveMove = iota
	makeReserve
	freeReserve
)

// reserving says what to do with a reserve that holds so much while so much is
// free beside it: given free in need, made where no level follows from that.
func (m watermarks) reserving(free, held int64) reserveMove {
	switch {
	case held > 0 && (m.reserve == 0 || free < m.reserve/2):
		return freeReserve
	case held < m.reserve && free+held-m.reserve >= m.lifted(diskNoTriggers):
		return makeReserve
	}
	return keepReserve
}
