package pattern

import (
	"errors"
	"strings"
	"testing"
)

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, event string
		want           bool
	}{
		{`{"a":[300]}`, `{"a":3.0e2}`, true},
		{`{"a":[9007199254740993]}`, `{"a":9007199254740992}`, false},
		{`{"a":["1"]}`, `{"a":1}`, false},
		{`{"a":[null]}`, `{"a":null}`, true},
		{`{"a":[null]}`, `{"b":1}`, false},
		{`{"a":["x"],"a":["y"]}`, `{"a":"y"}`, true},
		{`{"a":["x"],"a":["y"]}`, `{"a":"x"}`, false},
		{`{"a":{"b":["x"]}}`, `{"a.b":"x"}`, true},
		{`{"a.b":["x"]}`, `{"a":{"b":"x"}}`, true},
		{`{"a":{"b":["x"],"c":["y"]}}`, `{"a":[{"b":"x","c":"z"},{"b":"w","c":"y"}]}`, false},
		{`{"a":{"b":["x"],"c":["y"]}}`, `{"a":[{"b":"x","c":"z"},{"b":"x","c":"y"}]}`, true},
		{`{"a":{"b":["x"],"c":[{"exists":false}]}}`, `{"a":[{"b":"x","c":1},{"b":"x"}]}`, true},
		{`{"a":["y"]}`, `{"a":["x",["y"]]}`, true},
		{`{"a":[{"exists":true}]}`, `{"a":{"b":1}}`, false},
		{`{"a":[{"exists":true}]}`, `{"a":[]}`, false},
		{`{"a":[{"anything-but":["x"]},{"exists":false}]}`, `{}`, true},
		{`{"a":[{"anything-but":"x"}]}`, `{}`, false},
		{`{"a":[{"anything-but":"x"}]}`, `{"a":["x","y"]}`, true},
		{`{"a":["x"],"$or":[{"b":[1]},{"c":[2]}]}`, `{"a":"x","c":2}`, true},
		{`{"a":["x"],"$or":[{"b":[1]},{"c":[2]}]}`, `{"a":"y","c":2}`, false},
		{`{"$or":[{"b":[1],"$or":[{"d":[1]},{"e":[1]}]},{"c":[2]}]}`, `{"b":1,"e":1}`, true},
		{`{"a":[{"numeric":[">",0,"<=",5]}]}`, `{"a":5.0}`, true},
		{`{"a":[{"numeric":[">",0,"<=",5]}]}`, `{"a":"5"}`, false},
		{`{"a":[{"numeric":["<",-1.5]}]}`, `{"a":-1.50001}`, true},
		{`{"a":[{"cidr":"2001:db8::/32"}]}`, `{"a":"2001:DB8:1::1"}`, true},
		{`{"a":["::1"]}`, `{"a":"0:0:0:0:0:0:0:1"}`, true},
		{`{"a":[{"prefix":{"equals-ignore-case":"ÄB"}}]}`, `{"a":"äbc"}`, true},
		{`{"a":[{"suffix":{"equals-ignore-case":".PNG"}}]}`, `{"a":"x.png"}`, true},
		{`{"a":[{"wildcard":"a\\*b*c"}]}`, `{"a":"a*bxxc"}`, true},
		{`{"a":[{"wildcard":"a\\*b*c"}]}`, `{"a":"axbxxc"}`, false},
		{`{"a":[{"wildcard":"*"}]}`, `{"a":""}`, true},
		{`{"a":[{"anything-but":{"wildcard":"*x*"}}]}`, `{"a":12}`, true},
	} {
		p, err := Parse([]byte(c.pattern))
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		e, err := ReadEvent([]byte(c.event))
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Matches(e); got != c.want || (p.Why(e) == "") != c.want {
			t.Errorf("%s, %s: %v (%s), want %v", c.pattern, c.event, got, p.Why(e), c.want)
		}
	}
}

func TestWhy(t *testing.T) {
	for _, c := range []struct{ pattern, event, want string }{
		{`{"detail":{"verdict":["fail", "unsure"]}}`, `{"detail":{"verdict":"pass"}}`, `detail.verdict: is "pass", wanted ["fail", "unsure"]`},
		{`{"a":[1],"b":[2]}`, `{"a":1}`, `b: the event has no such value, wanted [2]`},
		{`{"a":{"b":["x"],"c":["y"]}}`, `{"a":[{"b":"x","c":"z"},{"b":"w","c":"y"}]}`, `a.c: "z", "y" fits, but not in the same element of an array as the fields before it, wanted ["y"]`},
		{`{"$or":[{"a":[1]},{"b":[2]}]}`, `{"a":null}`, `a: is null, wanted [1]; nor: b: the event has no such value, wanted [2]`},
	} {
		p, err := Parse([]byte(c.pattern))
		if err != nil {
			t.Fatal(err)
		}
		e, err := ReadEvent([]byte(c.event))
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Why(e); got != c.want {
			t.Errorf("%s: %q, want %q", c.pattern, got, c.want)
		}
	}
}

func TestRefusals(t *testing.T) {
	deep := strings.Repeat(`{"a":`, maxDepth+1)
	for pattern, want := range map[string]string{
		`[]`:                                "Filter is not an object",
		``:                                  "Filter is not an object",
		`{}`:                                "Empty objects are not allowed",
		`{"a":{}}`:                          "Empty objects are not allowed",
		`{"a":[[1]]}`:                       "Match value must be String, number, true, false, or null",
		`{"a":[{}]}`:                        "Match expression name not found",
		`{"a":[{"anything-but":[1,"a"]}]}`:  "either all values are number or string",
		`{"a":[{"anything-but":[]}]}`:       "either all values are number or string",
		`{"a":[{"anything-but":true}]}`:     "must be an array or single string/number value",
		`{"a":[{"wildcard":"a**b"}]}`:       "Consecutive wildcard characters at pos 2",
		`{"a":[{"wildcard":"a\\b"}]}`:       "Invalid escape character at pos 2",
		`{"a":[{"cidr":"10.0.0.0/33"}]}`:    "IPv4 mask bits must be < 32",
		`{"a":[{"cidr":"300.0.0.0/8"}]}`:    "Invalid IP address: 300.0.0.0",
		`{"a":[{"numeric":[">",5,"<",5]}]}`: "Bottom must be less than top",
		`{"a":["x"`:                         "Unexpected end-of-input",
		deep:                                "nesting depth",
		`{"$or":[{"$or":[{"a":[1]},{"b":[1]}]},` + strings.Repeat(`{"a":[1]},`, maxBranches) + `{"b":[1]}]}`: "combinations",
	} {
		_, err := Parse([]byte(pattern))
		var refused *Error
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: %.300v, want %q", pattern, err, want)
		}
	}
}

func FuzzPattern(f *testing.F) {
	f.Add(`{"a":[{"anything-but":{"wildcard":["*a*","b"]}}],"$or":[{"b":[1]},{"c":{"d":[null]}}]}`, `{"a":"x","c":[{"d":null}]}`)
	f.Add(`{"a":[{"numeric":[">",0,"<=",5e3]}],"b":[{"cidr":"::/0"},"1.2.3.4"]}`, `{"a":[1,[2]],"b":"01.2.3.4"}`)
	f.Add(`{"a":[{"prefix":{"equals-ignore-case":"\u00e4\ud83d\ude80"}}]}`, `{"a":"\"\\"}`)
	f.Fuzz(func(t *testing.T, pattern, event string) {
		p, err := Parse([]byte(pattern))
		if err != nil {
			var refused *Error
			if !errors.As(err, &refused) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		e, err := ReadEvent([]byte(event))
		if err == nil && p.Matches(e) != (p.Why(e) == "") {
			t.Fatalf("matches and says why not, or the reverse: %q", p.Why(e))
		}
	})
}
