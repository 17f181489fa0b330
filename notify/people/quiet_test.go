package people

import (
	"testing"
	"time"
	_ "time/tzdata" // the zones of the table, on any machine
)

func TestQuietUntil(t *testing.T) {
	night := Quiet{Hours: []string{"22:00-06:00"}, Zone: "Europe/Berlin"}
	weekend := Quiet{Hours: []string{"22:00-06:00"}, Days: []string{"sat", "sun"}, Zone: "Europe/Berlin"}
	lunch := Quiet{Hours: []string{"12:00-12:30", "12:30-13:00", "18:00-24:00"}, Zone: "Europe/Berlin"}
	gap := Quiet{Hours: []string{"01:00-02:30"}, Zone: "Europe/Berlin"}
	always := Quiet{Hours: []string{"00:00-12:00", "12:00-24:00"}, Zone: "Europe/Berlin"}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name       string
		quiet      Quiet
		now, until string // local; empty: not quiet
	}{
		{"before", night, "2026-03-02 21:59:59", ""},
		{"begins", night, "2026-03-02 22:00:00", "2026-03-03 06:00:00"},
		{"over midnight", night, "2026-03-02 23:59:59", "2026-03-03 06:00:00"},
		{"after midnight", night, "2026-03-03 00:00:00", "2026-03-03 06:00:00"},
		{"last second", night, "2026-03-03 05:59:59", "2026-03-03 06:00:00"},
		{"over", night, "2026-03-03 06:00:00", ""},
		{"friday night into the weekend", weekend, "2026-03-06 23:00:00", "2026-03-09 06:00:00"},
		{"saturday noon", weekend, "2026-03-07 12:00:00", "2026-03-09 06:00:00"},
		{"monday morning", weekend, "2026-03-09 05:00:00", "2026-03-09 06:00:00"},
		{"monday", weekend, "2026-03-09 06:00:00", ""},
		{"windows that touch", lunch, "2026-03-02 12:10:00", "2026-03-02 13:00:00"},
		{"until midnight", lunch, "2026-03-02 23:00:00", "2026-03-03 00:00:00"},
		{"spring forward", night, "2026-03-28 23:00:00", "2026-03-29 06:00:00"},
		{"the hour that is not", gap, "2026-03-29 01:30:00", "2026-03-29 03:30:00"},
		{"fall back", night, "2026-10-24 23:00:00", "2026-10-25 06:00:00"},
		{"no end", always, "2026-03-02 12:00:00", ""},
		{"none", Quiet{Zone: "Local"}, "2026-03-02 23:00:00", ""},
	} {
		now, err := time.ParseInLocation(time.DateTime, c.now, berlin)
		if err != nil {
			t.Fatal(err)
		}
		have := ""
		if until := c.quiet.Until(now); !until.IsZero() {
			have = until.In(berlin).Format(time.DateTime)
		}
		if have != c.until {
			t.Errorf("%s: at %s until %q; want %q", c.name, c.now, have, c.until)
		}
	}
	short, long := night.Until(time.Date(2026, 3, 28, 22, 0, 0, 0, time.UTC)), night.Until(time.Date(2026, 10, 24, 21, 0, 0, 0, time.UTC))
	if a, b := short.Sub(time.Date(2026, 3, 28, 22, 0, 0, 0, time.UTC)), long.Sub(time.Date(2026, 10, 24, 21, 0, 0, 0, time.UTC)); a != 6*time.Hour || b != 8*time.Hour {
		t.Errorf("from 23:00 the night of spring is %v, that of autumn %v; want 6h and 8h", a, b)
	}
	twice := gap.Until(time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC)) // 02:30 is twice on this day
	if d := twice.Sub(time.Date(2026, 10, 25, 0, 0, 0, 0, time.UTC)); !twice.IsZero() && (d < 0 || d > 2*time.Hour) {
		t.Errorf("the hour that is twice: until %v", twice)
	}
}

func TestQuietFaults(t *testing.T) {
	for _, c := range []struct {
		quiet Quiet
		key   string // empty: no fault
	}{
		{Quiet{Zone: "Local"}, ""},
		{Quiet{Hours: []string{"22:00-06:00"}, Days: []string{"sun"}, Zone: "Europe/Berlin", Except: []Severity{Trouble, Fail}}, ""},
		{Quiet{Hours: []string{"22-6"}, Zone: "Local"}, "quiet.hours"},
		{Quiet{Hours: []string{"06:00-06:00"}, Zone: "Local"}, "quiet.hours"},
		{Quiet{Hours: []string{"06:00-24:01"}, Zone: "Local"}, "quiet.hours"},
		{Quiet{Hours: []string{"00:00-12:00", "12:00-24:00"}, Zone: "Local"}, "quiet.hours"},
		{Quiet{Days: []string{"sunday"}, Zone: "Local"}, "quiet.days"},
		{Quiet{Days: []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}, Zone: "Local"}, "quiet.days"},
		{Quiet{Zone: "Mars/Base"}, "quiet.zone"},
		{Quiet{Zone: "Local", Except: []Severity{"loud"}}, "quiet.except"},
	} {
		found := ""
		c.quiet.faults(func(key, _ string) { found = key })
		if found != c.key {
			t.Errorf("%+v: fault %q; want %q", c.quiet, found, c.key)
		}
	}
}
