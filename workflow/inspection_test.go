package workflow_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"inspector/workflow"
	"inspector/workflow/asl"
)

// What the shipped workflow asks of each handler, verdict by verdict.
func TestInspectionAsks(t *testing.T) {
	inspection := func(verdict string) string {
		return `{"evidence":[{"kind":"overlay","type":"image/webp"},{"kind":"image","type":"image/png"}],"id":"dev-0123abcd-7","verdict":"` + verdict + `"}`
	}
	quoted := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	for _, verdict := range []string{"pass", "fail", "unsure", "nonsense"} {
		t.Run(verdict, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				i := inspection(verdict)
				want := map[string]string{
					"PublishPass": `{"inspection":` + i + `,"topic":"t/result"}`,
					"ClosePass":   `{"inspection":` + i + `}`,
				}
				if verdict != "pass" {
					want = map[string]string{
						"Quarantine":     `{"inspection":` + i + `}`,
						"Alert":          `{"inspection":` + i + `,"topic":"t/alert"}`,
						"PublishResult":  `{"inspection":` + i + `,"topic":"t/result"}`,
						"ForwardImage":   `{"Body":"evidence:a/b.png","Bucket":"b","ContentType":"image/png","Key":"k/image.png","Tagging":"verdict=fail"}`,
						"ForwardOverlay": `{"Body":"overlay:dev-0123abcd-7","Bucket":"b","ContentType":"image/jpeg","Key":"k/overlay.jpg","Tagging":"verdict=fail"}`,
						"ForwardRecord":  `{"Body":` + quoted(i) + `,"Bucket":"b","ContentType":"application/json","Key":"k/inspection.json","Tagging":"verdict=fail"}`,
						"Announce": `{"MessageAttributes":{"class":{"DataType":"String","StringValue":"open"},"key":{"DataType":"String","StringValue":"dev-0123abcd-7/Announce"},` +
							`"line":{"DataType":"String","StringValue":"line1"},"recipe":{"DataType":"String","StringValue":"main"},"schema":{"DataType":"String","StringValue":"inspector/1"},` +
							`"verdict":{"DataType":"String","StringValue":"` + verdict + `"}},"MessageBody":` + quoted(i) + `,"MessageGroupId":"line1","QueueUrl":"https://q"}`,
						"WaitForDisposition": `{"inspection":` + i + `,"token":"TOKEN"}`,
						"Close":              `{"disposition":{"by":"me","decision":"scrap"},"inspection":` + i + `}`,
					}
				}
				asked, e, hash := askShipped(t)
				defer run(t, e)()
				must(t, e.Start(t.Context(), hash, "dev-0123abcd-7", inspectionInput(verdict)))
				synctest.Wait()
				if token := asked.token(); token != "" {
					must(t, e.SendTaskSuccess(t.Context(), token, json.RawMessage(`{"decision":"scrap","by":"me"}`)))
				}
				synctest.Wait()
				wantStatus(t, e, "dev-0123abcd-7", asl.StatusSucceeded)
				for _, state := range slices.Sorted(maps.Keys(want)) {
					if asked.inputs[state] != want[state] {
						t.Errorf("%s got\n%s, want\n%s", state, asked.inputs[state], want[state])
					}
				}
				if len(asked.inputs) != len(want) {
					t.Errorf("asked for %v", slices.Sorted(maps.Keys(asked.inputs)))
				}
			})
		})
	}
}

type asking struct {
	mu     sync.Mutex
	inputs map[string]string // by state
	given  string
}

func (a *asking) token() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.given
}

func (a *asking) names() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Sorted(maps.Keys(a.inputs))
}

func askShipped(t *testing.T) (*asking, *workflow.Engine, string) {
	t.Helper()
	m, err := asl.Parse(workflow.Inspection)
	must(t, err)
	a := &asking{inputs: map[string]string{}}
	h := handlers{}
	for _, resource := range m.Resources() {
		h[resource] = func(_ context.Context, task workflow.Task) (json.RawMessage, error) {
			a.mu.Lock()
			defer a.mu.Unlock()
			input := string(task.Input)
			if task.Token != "" {
				a.given = task.Token
				input = fmt.Sprintf(`{"inspection":%s,"token":"TOKEN"}`, field(input, "inspection"))
			}
			a.inputs[task.State] = input
			return nil, nil
		}
	}
	e := newEngine(newMemory(), h)
	return a, e, deploy(t, e, string(workflow.Inspection))
}

func field(object, name string) json.RawMessage {
	var o map[string]json.RawMessage
	_ = json.Unmarshal([]byte(object), &o)
	return o[name]
}

// Without a picture there is nothing to forward but the record.
func TestInspectionWithoutPicture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, e, hash := askShipped(t)
		defer run(t, e)()
		must(t, e.Start(t.Context(), hash, "x", json.RawMessage(`{"inspection":{"id":"x","verdict":"unsure","evidence":[]},"station":{},
		  "topics":{"result":"r","alert":"a"},"upstream":{"bucket":"b","prefix":"p","queue":"q","keys":{"record":"k"},"tags":""},
		  "filters":{"schema":"inspector/1","verdict":"fail","recipe":"main","line":"line1","class":"open"}}`)))
		time.Sleep(time.Second)
		if d := wantStatus(t, e, "x", asl.StatusRunning); !slices.Equal(d.States, []string{"WaitForDisposition"}) {
			t.Errorf("waits in %v", d.States)
		}
		if _, ok := asked.inputs["ForwardImage"]; ok {
			t.Error("a picture that is not there was forwarded")
		}
	})
}

// A pass that is to be forwarded waits for its hour, with its picture or
// without one, and only then is closed.
func TestInspectionForwardsPasses(t *testing.T) {
	for name, evidence := range map[string]string{"ForwardPassImage ForwardPassRecord": `{"image":"evidence:a/b.png","overlay":"overlay:x"}`, "ForwardPassRecord": `{}`} {
		synctest.Test(t, func(t *testing.T) {
			asked, e, hash := askShipped(t)
			defer run(t, e)()
			at := time.Now().Add(3 * time.Hour).UTC().Format(time.RFC3339)
			must(t, e.Start(t.Context(), hash, "x", json.RawMessage(`{"inspection":{"id":"x","verdict":"pass","evidence":[{"kind":"image","type":"image/png"}]},"evidence":`+evidence+`,"station":{},
			  "topics":{"result":"r","alert":"a"},"upstream":{"bucket":"b","prefix":"p","queue":"q","keys":{"image":"k/i","record":"k/r"},"tags":"verdict=pass","passes_at":"`+at+`"}}`)))
			time.Sleep(2 * time.Hour)
			synctest.Wait()
			if d := wantStatus(t, e, "x", asl.StatusRunning); !slices.Equal(d.States, []string{"AwaitHours"}) || len(asked.names()) != 1 {
				t.Errorf("waits in %v, after %v", d.States, asked.names())
			}
			time.Sleep(2 * time.Hour)
			synctest.Wait()
			wantStatus(t, e, "x", asl.StatusSucceeded)
			want := slices.Sorted(slices.Values(append(strings.Fields(name), "ClosePass", "PublishPass")))
			if have := asked.names(); !slices.Equal(have, want) {
				t.Errorf("asked for %v, want %v", have, want)
			}
			if record := `{"Body":"{\"evidence\":[{\"kind\":\"image\",\"type\":\"image/png\"}],\"id\":\"x\",\"verdict\":\"pass\"}","Bucket":"b","ContentType":"application/json","Key":"k/r","Tagging":"verdict=pass"}`; asked.inputs["ForwardPassRecord"] != record {
				t.Errorf("the record is forwarded as %s", asked.inputs["ForwardPassRecord"])
			}
		})
	}
}

// Deeds that end within the grace are recorded; those that do not are
// repeated by the next engine with the same key.
func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newMemory()
		var slow atomic.Int64
		deeds := map[string]int{}
		done := func(ctx context.Context, task workflow.Task) (json.RawMessage, error) {
			select {
			case <-time.After(time.Duration(slow.Load())):
				deeds[task.Key]++
				return nil, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		for i, test := range []struct {
			takes time.Duration
			want  asl.Status
		}{{4 * time.Second, asl.StatusSucceeded}, {6 * time.Second, asl.StatusRunning}} {
			e := newEngine(j, handlers{"r": done})
			hash := deploy(t, e, oneTask)
			slow.Store(int64(test.takes))
			stop := run(t, e)
			must(t, e.Start(t.Context(), hash, fmt.Sprint("x", i), nil))
			synctest.Wait()
			stop()
			wantStatus(t, e, fmt.Sprint("x", i), test.want)
		}
		if n := len(j.events["x1"]); n != 1 {
			t.Errorf("%d events of the interrupted deed, want the start alone", n)
		}
		e := newEngine(j, handlers{"r": done})
		defer run(t, e)()
		time.Sleep(7 * time.Second)
		wantStatus(t, e, "x1", asl.StatusSucceeded)
		if deeds["x0/A/1"] != 1 || deeds["x1/A/1"] != 1 {
			t.Errorf("deeds %v", deeds)
		}
	})
}

// A cache far too small for what runs changes nothing but speed.
func TestSmallCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := workflow.New(newMemory(), quiet(), workflow.Options{Cache: 1})
		e.Handle("r", 8, func(_ context.Context, task workflow.Task) (json.RawMessage, error) {
			if task.Attempt == 0 {
				return nil, fmt.Errorf("once")
			}
			return nil, nil
		})
		hash := deploy(t, e, oneTask)
		defer run(t, e)()
		for i := range 50 {
			must(t, e.Start(t.Context(), hash, fmt.Sprint(i), nil))
		}
		time.Sleep(time.Hour)
		for i := range 50 {
			wantStatus(t, e, fmt.Sprint(i), asl.StatusSucceeded)
		}
	})
}
