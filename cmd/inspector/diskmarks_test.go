package main

import (
	"math"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestSizes(t *testing.T) {
	for text, want := range map[string]size{
		"2GiB": 2 << 30, "1.5 GiB": 3 << 29, "256MiB": 256 << 20, "2GB": 2e9, "64 kB": 64_000, "0": 0, "0B": 0, "17": 17, "17B": 17, "3TiB": 3 << 40,
	} {
		have, err := parseSize(text)
		if err != nil || have != want {
			t.Errorf("%q is %d, %v; want %d", text, have, err, want)
		}
		if again, err := parseSize(have.String()); err != nil || again != have {
			t.Errorf("%d is written %q, which is %d, %v", have, have, again, err)
		}
	}
	for _, text := range []string{"", "GiB", "-1GiB", "1 GiBs", "1e3", "99999999TiB", "2 gib", "NaN"} {
		if have, err := parseSize(text); err == nil {
			t.Errorf("%q is a size of %d", text, have)
		}
	}
}

func FuzzSize(f *testing.F) {
	f.Add("1.5GiB")
	f.Fuzz(func(t *testing.T, text string) {
		var c struct{ Warn size }
		_ = yaml.Unmarshal([]byte("warn: "+text), &c)
		if c.Warn < 0 {
			t.Errorf("%q is %d", text, c.Warn)
		}
	})
}

func TestDiskConfigFaults(t *testing.T) {
	for text, want := range map[string]string{
		"disk: {warn: 1MiB}":                          "disk.warn: 1MiB is less than disk.stop_passes",
		"disk: {stop_passes: 1MiB}":                   "disk.stop_passes: 1MiB is less than disk.stop_triggers",
		"disk: {stop_triggers: 0}":                    "disk.stop_triggers: 0B is not positive",
		"disk: {reserve: 200MiB}":                     "more than half of disk.stop_triggers",
		"disk:\n  warn: much":                         `disk.warn: "much" is not a size such as 256MiB or 2GB`,
		"disk: {warn: 3GiB, reserve: 0B}":             "",
		"disk: {warn: 5GB, stop_passes: 4GB, x: 1GB}": `unknown key "x"`,
	} {
		c := defaults()
		_, errs := decodeYAML("c.yaml", []byte(text), &c, "")
		words := ""
		for _, e := range errs {
			words += e.Error()
		}
		for _, f := range c.faults() {
			words += f.key + ": " + f.msg
		}
		if (words == "") != (want == "") || !strings.Contains(words, want) {
			t.Errorf("%s: %q; want %q", text, words, want)
		}
	}
}

// The levels come in their order and go in the same, each a quarter later than
// it came; on a small disk they are shares of it.
func TestWatermarks(t *testing.T) {
	c := defaults().Disk
	large, small := c.on(1<<40), c.on(64<<20)
	if want := [diskLevelsCount]int64{0, 2 << 30, 1 << 30, 256 << 20}; large.below != want || large.reserve != 64<<20 {
		t.Errorf("a large disk: %+v", large)
	}
	if want := [diskLevelsCount]int64{0, 64 << 20 / 10, 64 << 20 / 20, 64 << 20 / 50}; small.below != want || small.reserve != 64<<20/100 {
		t.Errorf("a small disk: %+v", small)
	}
	const m = 1 << 20
	level := diskRoomy
	for _, step := range []struct {
		free int64
		want diskLevel
	}{
		{3000 * m, diskRoomy}, {2048 * m, diskRoomy}, {2047 * m, diskLow}, {2100 * m, diskLow}, {2560 * m, diskRoomy}, {1500 * m, diskLow}, {1023 * m, diskNoPasses},
		{1024 * m, diskNoPasses}, {1279 * m, diskNoPasses}, {1280 * m, diskLow}, {1024 * m, diskLow}, {255 * m, diskNoTriggers}, {319 * m, diskNoTriggers}, {320 * m, diskNoPasses},
		{0, diskNoTriggers}, {5000 * m, diskRoomy}, {0, diskNoTriggers}, {2300 * m, diskLow},
	} {
		if level = large.after(level, step.free); level != step.want {
			t.Fatalf("with %d MiB free: %v; want %v", step.free/m, level, step.want)
		}
	}
}

// Wherever the disk stands, giving the reserve free ends no level and making it
// begins none.
func TestReserveMovesNoLevel(t *testing.T) {
	for _, total := range []int64{1 << 40, 1 << 33, 64 << 20, 8 << 20} {
		m := defaults().Disk.on(total)
		for free := int64(0); free < 2*m.below[diskLow]; free += max(m.below[diskLow]/997, 1) {
			for _, held := range []int64{0, m.reserve} {
				for level := range diskLevelsCount {
					before := m.after(level, free)
					move, after := m.reserving(free, held), free
					switch move {
					case freeReserve:
						after += held
					case makeReserve:
						after -= m.reserve - held
					case keepReserve:
					}
					if now := m.after(before, after); now != before && before == diskNoTriggers || now > before && move == makeReserve && now == diskNoTriggers {
						t.Fatalf("of %d: %d free, %d held: the reserve takes %v to %v", total, free, held, before, now)
					}
					if again := m.reserving(after, held+free-after); move != keepReserve && again != keepReserve {
						t.Fatalf("of %d: %d free, %d held: %v, and then %v", total, free, held, move, again)
					}
				}
			}
		}
	}
	m := watermarks{below: [diskLevelsCount]int64{0, 100, 50, 20}, reserve: 8}
	for _, c := range []struct {
		free, held int64
		want       reserveMove
	}{{3, 8, freeReserve}, {4, 8, keepReserve}, {3, 0, keepReserve}, {32, 0, keepReserve}, {33, 0, makeReserve}, {33, 8, keepReserve}, {25, 4, keepReserve}, {29, 4, makeReserve}, {math.MaxInt64 / 4, 0, makeReserve}} {
		if have := m.reserving(c.free, c.held); have != c.want {
			t.Errorf("%d free, %d held: %v; want %v", c.free, c.held, have, c.want)
		}
	}
	names := []string{}
	for l := range diskLevelsCount {
		names = append(names, l.String())
	}
	if !slices.Equal(names, []string{"ok", "warn", "stop-passes", "stop-triggers"}) {
		t.Error(names)
	}
}
