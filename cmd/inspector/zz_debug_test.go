package main
import ("testing";"net/http";"io";"encoding/json";"inspector/web";"slices";"time";"inspector")
func debugTimings(b *testing.B, page string) {
	r, _ := http.NewRequestWithContext(b.Context(), http.MethodGet, page+"/api/v1/inspections?limit=120", nil)
	r.Close = true
	a, err := http.DefaultClient.Do(r); if err != nil { b.Fatal(err) }
	defer a.Body.Close()
	body, _ := io.ReadAll(a.Body)
	var v struct{ Inspections []web.Record }
	if err := json.Unmarshal(body, &v); err != nil { b.Fatal(err) }
	q := func(f func(t inspector.Timings) time.Duration) []time.Duration {
		var d []time.Duration
		for _, i := range v.Inspections { d = append(d, f(i.Timings)) }
		slices.Sort(d)
		n := len(d)
		return []time.Duration{d[n/10], d[n/2], d[n*9/10], d[n*99/100]}
	}
	b.Logf("wait %v", q(func(t inspector.Timings) time.Duration { return t.Wait }))
	b.Logf("prepare %v", q(func(t inspector.Timings) time.Duration { return t.Prepare }))
	b.Logf("infer %v", q(func(t inspector.Timings) time.Duration { return t.Infer }))
	b.Logf("decode %v", q(func(t inspector.Timings) time.Duration { return t.Decode }))
	b.Logf("store %v", q(func(t inspector.Timings) time.Duration { return t.Store }))
}
