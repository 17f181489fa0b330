package notify

import (
	"strings"
	"testing"
)

func mustACL(t *testing.T, text string) *acl {
	t.Helper()
	a, err := parseACL([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

const exampleACL = `# anonymous
topic read public/#

user plc
topic readwrite line/+/set/#
topic read line/1/result
topic deny line/1/set/secret
topic read with blanks/x

user scada
topic read #
pattern write own/%u/%c/#
pattern deny own/%u/locked
`

func TestACL(t *testing.T) {
	a := mustACL(t, exampleACL)
	plc, scada, nobody, other := person{"plc", "c1"}, person{"scada", "c2"}, person{"", "c3"}, person{"eve", "c4"}
	for _, c := range []struct {
		who         person
		topic       string
		read, write bool
	}{
		{nobody, "public/a", true, false},
		{nobody, "public", true, false},
		{nobody, "line/1/result", false, false},
		{other, "public/a", false, false}, // a named user has only its own lines
		{plc, "line/1/set/trigger", true, true},
		{plc, "line/1/set", true, true},
		{plc, "line/1/2/set", false, false},
		{plc, "line/1/set/secret", false, false},
		{plc, "line/1/result", true, false},
		{plc, "with blanks/x", true, false},
		{plc, "own/plc/c1/x", false, true},
		{plc, "own/plc/c2/x", false, false},
		{plc, "own/plc/locked", false, false},
		{scada, "anything/at/all", true, false},
		{scada, "$SYS/broker/uptime", false, false},
		{person{"pl+", "c"}, "own/plc/c/x", false, false},
		{person{"plc", "#"}, "line/1/result", false, false},
		{nobody, "own//c3/x", false, false},
	} {
		if read, write := a.allows(c.who, c.topic, mayRead), a.allows(c.who, c.topic, mayWrite); read != c.read || write != c.write {
			t.Errorf("%+v %s: read %v write %v; want %v %v", c.who, c.topic, read, write, c.read, c.write)
		}
	}
	for _, c := range []struct {
		who    person
		filter string
		want   bool
	}{
		{scada, "#", true}, {scada, "$SYS/#", false}, {plc, "#", true}, {plc, "line/+/result", true}, {plc, "line/2/result", false},
		{nobody, "#", true}, {nobody, "line/#", false}, {other, "#", false}, {plc, "+/1/+", true},
	} {
		if got := a.allowsAny(c.who, c.filter); got != c.want {
			t.Errorf("%+v subscribes to %s: %v", c.who, c.filter, got)
		}
	}
	if none := (*acl)(nil); !none.allows(nobody, "x", mayWrite) || !none.allowsAny(nobody, "#") {
		t.Error("without a file nothing is forbidden")
	}
}

func TestACLFaults(t *testing.T) {
	for text, want := range map[string]string{
		"user":                               "1: user without a name",
		"\n# x\ntopics read a":               "3:",
		"topic":                              "1:",
		"topic rw a/b":                       "rw",
		"topic read a#":                      "a#",
		"topic read a/#/b":                   "#",
		"pattern write +a/b":                 "+a",
		"topic read a\x00b":                  "1:",
		"allow everything":                   "allow",
		"user a\ntopic write +":              "",
		"topic a":                            "",
		"  topic \t read  a b ":              "",
		"topic deny #\r\nuser bob smith\r\n": "",
	} {
		_, err := parseACL([]byte(text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", text, err, want)
		}
	}
	if _, err := readACL("absent"); !permanent(err) || !strings.Contains(err.Error(), "mqtt.acl_file") {
		t.Errorf("absent file: %v", err)
	}
}

func TestFilters(t *testing.T) {
	for _, c := range []struct {
		filter, topic string
		want          bool
	}{
		{"a", "a", true}, {"a", "a/b", false}, {"a/+", "a/b", true}, {"a/+", "a", false}, {"a/+", "a/", true}, {"a/#", "a", true}, {"a/#", "a/b/c", true},
		{"+", "a", true}, {"+", "/a", false}, {"+/+", "/a", true}, {"#", "$SYS/x", false}, {"$SYS/#", "$SYS/x", true}, {"+/x", "$SYS/x", false}, {"a/+/c", "a/b/c", true}, {"a/+/c", "a/b/d", false},
	} {
		if got := matches(c.filter, c.topic); got != c.want {
			t.Errorf("%s matches %s: %v", c.filter, c.topic, got)
		}
	}
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"a/b", "a/b", true}, {"a/+", "+/b", true}, {"a/#", "a", true}, {"a/b/#", "a", false}, {"a/b", "a/b/c", false}, {"#", "$SYS/x", false}, {"+/#", "x", true}, {"a/+/c", "a/b/+", true}, {"a/+/c", "a/b/d", false},
	} {
		if got, back := overlap(c.a, c.b), overlap(c.b, c.a); got != c.want || back != c.want {
			t.Errorf("%s and %s: %v %v", c.a, c.b, got, back)
		}
	}
}

// Whatever is in the file, nobody gets more than its lines say, and what is
// allowed for a topic can be subscribed to.
func FuzzACL(f *testing.F) {
	f.Add([]byte(exampleACL), "plc", "c1", "line/1/set/x")
	f.Add([]byte("topic deny a\ntopic #\npattern %u/%c"), "", "", "a")
	f.Fuzz(func(t *testing.T, text []byte, user, client, topic string) {
		a, err := parseACL(text)
		if err != nil || strings.ContainsAny(topic, "+#") {
			return
		}
		p := person{user, client}
		if a.allows(p, topic, mayRead) && !a.allowsAny(p, topic) {
			t.Errorf("%+v may read %q but not subscribe to it", p, topic)
		}
		if len(a.grants(p)) == 0 && (a.allows(p, topic, mayRead) || a.allows(p, topic, mayWrite)) {
			t.Errorf("%+v may use %q without a line that says so", p, topic)
		}
	})
}
