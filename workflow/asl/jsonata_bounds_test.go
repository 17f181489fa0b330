package asl

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Expressions that would run or grow without bound.
var unbounded = []string{
	`($f := function(){$f()}; $f())`,
	`($f := function($x){$f($x + 1)}; $f(1))`,
	`($f := function($x){1 + $f($x)}; $f(1))`,
	`($f := function($n){$n = 0 ? 1 : $f($n - 1) + $f($n - 1)}; $f(60))`,
	`($f := function($s, $n){$n = 0 ? $s : $f($s & $s, $n - 1)}; $length($f("x", 60)))`,
	`$reduce([1..60], function($a, $i){$a & $a}, "x")`,
	`$reduce([1..60], function($a, $i){[$a, $a]}, [1])`,
	`$reduce([1..60], function($a, $i){$append($a, $a)}, [1])`,
	`$string($reduce([1..60], function($a, $i){{"a": $a, "b": $a}}, {"c": 1}))`,
	`$reduce([1..60], function($a, $i){{"a": $a, "b": $a}}, {"c": 1})`,
	`$reduce([1..60], function($a, $i){{"a": $a, "b": $a}}, {"c": 1}) = 1`,
	`$count($reduce([1..60], function($a, $i){{"a": $a, "b": $a}}, {"c": 1}).**)`,
	`$reduce([1..60], function($a, $i){$map([1, 2], function($j){$a})}, 1)`,
	`$reduce([1..60], function($a, $i){$zip($a, $a)}, [1, 2])`,
	`$reduce([1..60], function($a, $i){$join([$a, $a])}, "xx")`,
	`$reduce([1..60], function($a, $i){$replace($a, "x", $a)}, "xx")`,
	`$reduce([1..60], function($a, $i){$replace($a, /x/, $a)}, "xx")`,
	`$reduce([1..60], function($a, $i){$merge([{"a": $a}, {"b": $a}])}, 1)`,
	`$reduce([1..60], function($a, $i){$a ~> |$|{"a": $a, "b": $a}|}, {"x": 1})`,
	`{"x": 1} ~> |$|{"b": $}| ~> |$|{"c": $}|`,
	`($t := |$|{"b": $}|; $t($t({"x": 1})))`,
	`($x := [1..1000]; $x.($x).($x))`,
	`($x := [1..1000]; $x.$x.$x)`,
	`($x := [1..1000]; $x.[$x].[$x])`,
	`($x := [1..3000]; $x.{"a": $x}.{"b": $x.{"c": $}})`,
	`($x := [1..60000].{"a": 1}; $reduce([1..100000], function($s, $i){$x.a[0]}, 0); $error("no bound"))`,
	`($x := [1..60000].{"a": 1}; $reduce([1..100000], function($s, $i){$x[0]}, 0); $error("no bound"))`,
	`($x := [1..60000].{"a": {"b": 1}}; $reduce([1..100000], function($s, $i){$count($x.*)}, 0))`,
	`($x := [1..60000].{"a": {"b": 1}}; $reduce([1..100000], function($s, $i){$count($x.**)}, 0))`,
	`($x := [1..60000].{"a": [1,2]}; $reduce([1..100000], function($s, $i){$x{"k": a}}, 0))`,
	`($x := [1..60000]; $reduce([1..100000], function($s, $i){$x^(>$)}, 0))`,
	`($x := [1..60000]; $reduce([1..100000], function($s, $i){$sum($x)}, 0))`,
	`($x := [1..100000]; $x[$ in $x])`,
	`[1..10000000]`,
	`[1..873783]`,
	`[[1..800000], [1..800000], [1..800000], [1..800000], [1..800000], [1..800000], [1..800000], [1..800000], [1..800000], [1..800000], [1..800000], [1..800000], [1..800000], [1..800000]]`,
	`$range(1, 1e12, 1)`,
	`$pad("x", 1e9)`,
	`$formatInteger(9000000000000000, "I")`,
	`$fromMillis(1, "[Y,1000000000]")`,
	`$now("[Y,1000000000]")`,
	`$formatNumber(1, $reduce([1..20], function($a, $i){$a & $a}, "0"))`,
	strings.Repeat("(", 100_000),
	strings.Repeat("[", 100_000),
	strings.Repeat("1 + ", 30_000) + "1",
	strings.Repeat("$states.", 8_000) + "a",
	strings.Repeat("-", 60_000) + "1",
	strings.Repeat("a ? ", 15_000) + "1",
	strings.Repeat("function(){", 6_000),
}

func TestQueryBounds(t *testing.T) {
	for _, text := range unbounded {
		short := text[:min(len(text), 100)]
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		q, err := compileQuery(text)
		if err == nil {
			_, err = q.eval(testInput)
		}
		took := time.Since(began)
		runtime.ReadMemStats(&after)
		allocated := (after.TotalAlloc - before.TotalAlloc) >> 20
		t.Logf("%8s %5d MiB %v: %s", took.Round(time.Millisecond), allocated, err, short)
		var failure *queryError
		if !errors.As(err, &failure) || failure.code == "S0202" {
			t.Errorf("%s: no bound was met: %v", short, err)
		}
	}
}

var testInput = queryInput{now: time.Unix(1_700_000_000, 0), draw: func() [32]byte { return [32]byte{1} }, bindings: func(string) (any, bool) { return nil, false }}
