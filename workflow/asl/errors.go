package asl

import (
	"encoding/json"
	"fmt"
)

func (c *checker) retriers(at string, o map[string]any) (out []retrier) {
	list := c.objects(at, o, "Retry")
	for i, r := range list {
		here := fmt.Sprintf("%s/Retry/%d", at, i)
		t := retrier{
			errors:   c.errorEquals(here, r, i == len(list)-1),
			interval: float64(c.integer(here, r, "IntervalSeconds", 1, 1)),
			attempts: c.integer(here, r, "MaxAttempts", 0, 3),
			most:     float64(c.integer(here, r, "MaxDelaySeconds", 1, 0)),
			rate:     2,
			jitter:   r["JitterStrategy"] == "FULL",
		}
		if v, ok := r["BackoffRate"]; ok {
			n, _ := v.(json.Number)
			if t.rate = toFloat(n); t.rate < 1 {
				c.fault(here+"/BackoffRate", "the value must be a number of at least 1.0")
			}
		}
		if v, ok := r["JitterStrategy"]; ok && v != "FULL" && v != "NONE" {
			c.fault(here+"/JitterStrategy", "the value must be FULL or NONE")
		}
		out = append(out, t)
	}
	return out
}

func (c *checker) catchers(at string, o map[string]any, jsonata bool) (out []catcher) {
	list := c.objects(at, o, "Catch")
	for i, r := range list {
		here := fmt.Sprintf("%s/Catch/%d", at, i)
		t := catcher{errors: c.errorEquals(here, r, i == len(list)-1), next: c.needText(here, r, "Next")}
		field := fmt.Sprintf("Catch[%d]/", i)
		t.assign = c.assignments(jsonata, here, field+"Assign", r)
		if v, ok := r["Output"]; ok && jsonata {
			t.output = c.value(true, pointer(here, "Output"), field+"Output", v)
		} else if !jsonata {
			t.resultPath, t.noResult = c.pathOrNull(here, r, "ResultPath")
		}
		out = append(out, t)
	}
	return out
}

func (c *checker) errorEquals(at string, o map[string]any, last bool) (out []string) {
	list, _ := o["ErrorEquals"].([]any)
	if len(list) == 0 {
		c.fault(at, "the field ErrorEquals is required, a list of at least one error name")
	}
	for i, v := range list {
		name, ok := v.(string)
		if !ok {
			c.fault(fmt.Sprintf("%s/ErrorEquals/%d", at, i), "the name of an error must be a string")
		}
		if name == errAll && (len(list) > 1 || !last) {
			c.fault(fmt.Sprintf("%s/ErrorEquals/%d", at, i), "States.ALL must stand alone and in the last place")
		}
		out = append(out, name)
	}
	return out
}
