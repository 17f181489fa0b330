package web

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

func document(t *testing.T) *openapi3.T {
	t.Helper()
	b, err := files.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(b)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestEveryRouteIsDocumented(t *testing.T) {
	documented, served := map[string]bool{}, map[string]bool{}
	for path, item := range document(t).Paths.Map() {
		for method := range item.Operations() {
			documented[method+" /api/v1"+path] = true
		}
	}
	parameter := regexp.MustCompile(`:(\w+)`)
	for _, r := range New(Options{Log: discard()}).handler().Routes() {
		if strings.HasPrefix(r.Path, "/api/v1/") {
			served[r.Method+" "+parameter.ReplaceAllString(r.Path, "{$1}")] = true
		}
	}
	if !maps.Equal(documented, served) {
		t.Errorf("documented %v\nserved %v", slices.Sorted(maps.Keys(documented)), slices.Sorted(maps.Keys(served)))
	}
}

// Every operation is asked for real, well and badly; requests and answers must
// be as documented.
func TestAnswersAreAsDocumented(t *testing.T) {
	doc := document(t)
	s := start(t, func(o *Options) { o.MaxBody = 1 << 20 })
	doc.Servers = openapi3.Servers{{URL: s.url + "/api/v1"}}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	openapi3filter.RegisterBodyDecoder("image/jpeg", openapi3filter.FileBodyDecoder)
	openapi3filter.RegisterBodyDecoder("image/png", openapi3filter.FileBodyDecoder)
	openapi3filter.RegisterBodyDecoder("image/svg+xml", openapi3filter.FileBodyDecoder)
	t.Cleanup(func() {
		openapi3filter.UnregisterBodyDecoder("image/jpeg")
		openapi3filter.UnregisterBodyDecoder("image/png")
		openapi3filter.UnregisterBodyDecoder("image/svg+xml")
	})

	asked := map[string]bool{}
	board := pcb(t, true, 1)
	upload, kind := form(t, "serial", "PCB-3", "image", string(pcb(t, false, 2)))
	sum := ""
	s.camera, s.parked = board, true
	s.waits = []ParkedTask{{Execution: "aoi_1-5eed0001-1", Command: 4, State: "Forward", Target: "s3 evidence", Resource: "put", Since: s.status.Started, Reason: "the bucket does not exist"}}
	id := "/inspections/aoi_1-5eed0001-1"
	run := "/executions/aoi_1-5eed0001-1"
	for _, c := range []struct {
		method, path, kind, body string
		code                     int
	}{
		{"GET", "/status", "", "", 200},
		{"GET", "/inspections", "", "", 200},
		{"GET", "/live.jpg", "", "", 404},
		{"POST", "/inspections?serial=PCB-1&request=r1", "image/jpeg", string(board), 200},
		{"POST", "/inspections?serial=PCB-1&request=r1", "image/jpeg", string(board), 200},
		{"POST", "/inspections", kind, upload, 200},
		{"POST", "/inspections", "application/octet-stream", "not a picture", 422},
		{"POST", "/inspections", "application/octet-stream", strings.Repeat("x", 1<<20+1), 413},
		{"POST", "/triggers", "application/json", `{"request":"r2","serial":"PCB-9"}`, 200},
		{"POST", "/triggers", "", "", 200},
		{"POST", "/triggers", "application/json", `{"sender":"x"}`, 400},
		{"GET", "/inspections?verdict=fail&recipe=bare-board&limit=1", "", "", 200},
		{"GET", "/inspections?before=aoi_1-5eed0001-3", "", "", 200},
		{"GET", "/inspections?verdict=good", "", "", 400},
		{"GET", "/live.jpg?n=1", "", "", 200},
		{"PUT", "/line", "application/json", `{"paused":true,"by":"Ana","reason":"new stencil"}`, 200},
		{"PUT", "/line", "application/json", `{"by":"Ana"}`, 400},
		{"POST", id + "/acknowledgement", "application/json", `{}`, 400},
		{"POST", id + "/acknowledgement", "application/json", `{"by":"Ana"}`, 200},
		{"POST", id + "/acknowledgement", "application/json", `{"by":"Ben"}`, 200},
		{"POST", "/inspections/nobody/acknowledgement", "application/json", `{"by":"Ben"}`, 404},
		{"GET", id, "", "", 200},
		{"GET", "/inspections/nobody", "", "", 404},
		{"GET", id + "/evidence/image", "", "", 200},
		{"GET", id + "/evidence/overlay", "", "", 404},
		{"GET", "/executions?status=RUNNING&limit=2", "", "", 200},
		{"GET", "/executions?status=PARKED&machine=m&since=2026-03-04T05:06:07Z&until=2026-03-04T05:06:07%2B01:00&prefix=a&page=x", "", "", 200},
		{"GET", "/executions?limit=0", "", "", 400},
		{"GET", "/parked?target=s3%20evidence&reason=bucket&limit=2", "", "", 200},
		{"GET", "/parked?limit=0", "", "", 400},
		{"POST", "/states/StartExecution", "application/json", `{"name":"x","machine":"m"}`, 200},
		{"POST", "/states/StartExecution", "application/json", `{"name":"taken"}`, 409},
		{"POST", "/states/StartExecution", "application/json", `{"name":"nobody"}`, 404},
		{"POST", "/states/StartExecution", "application/json", `{`, 400},
		{"POST", "/states/Dance", "application/json", `{}`, 404},
		{"GET", run, "", "", 200},
		{"GET", run + "/history", "", "", 200},
		{"GET", "/executions/nobody/history", "", "", 404},
		{"GET", run + "/graph.svg", "", "", 200},
		{"GET", "/executions/nobody/graph.svg", "", "", 404},
		{"POST", run + "/redrive", "", "", 200},
		{"POST", run + "/redrive", "", "", 409},
		{"POST", id + "/disposition", "application/json", `{"decision":"keep","by":"Ana"}`, 400},
		{"POST", id + "/disposition", "application/json", `{"decision":"rework","by":"Ana","note":"reflow"}`, 200},
		{"POST", id + "/disposition", "application/json", `{"decision":"scrap","by":"Ben"}`, 409},
		{"GET", id, "", "", 200},
		{"GET", run, "", "", 200},
		{"GET", "/models", "", "", 200},
		{"POST", "/models/pcb/promote", "application/json", `{"version":"1.1.0","by":"Ana","reason":"fewer false calls"}`, 200},
		{"POST", "/models/pcb/promote", "application/json", `{"version":"1.1.0","by":"Ana","reason":"again"}`, 409},
		{"POST", "/models/pcb/promote", "application/json", `{"version":"9.9.9","by":"Ana"}`, 422},
		{"POST", "/models/pcb/promote", "application/json", `{"version":"1.1.0","alias":"latest","by":"Ana"}`, 400},
		{"POST", "/models/pcb/promote", "application/json", `{"version":"1.1.0"}`, 400},
		{"POST", "/models/pcb/promote", "application/json", `{"version":"1.0.0","alias":"shadow","by":"Ana"}`, 200},
		{"POST", "/models/pcb/rollback", "application/json", `{"by":"Ana","reason":"escapes"}`, 200},
		{"POST", "/models/nobody/rollback", "application/json", `{"by":"Ana"}`, 404},
		{"GET", "/models", "", "", 200},
		{"GET", "/recipe", "", "", 200},
		{"PUT", "/recipe", "application/json", `{"recipe":"mainboard","by":"Ana","reason":"next order"}`, 200},
		{"PUT", "/recipe", "application/json", `{"recipe":"mainboard","by":"Ana"}`, 409},
		{"PUT", "/recipe", "application/json", `{"recipe":"nobody","by":"Ana"}`, 404},
		{"PUT", "/recipe", "application/json", `{"recipe":"mainboard"}`, 400},
		{"PUT", "/recipe", "application/json", `{"by":"Ana"}`, 400},
		{"GET", "/recipe", "", "", 200},
		{"GET", "/disagreements?limit=3", "", "", 200},
		{"GET", "/disagreements?limit=0", "", "", 400},
		{"GET", "/disagreements/aoi_1-5eed0001-1/image", "", "", 200},
		{"GET", "/disagreements/nobody/image", "", "", 404},
		{"GET", "/openapi.yaml", "", "", 200},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, s.url+"/api/v1"+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		if c.kind != "" {
			r.Header.Set("Content-Type", c.kind)
		}
		if c.method == "GET" {
			r.Body, r.ContentLength = http.NoBody, 0
		}
		route := check(t, router, r, c.body, c.code)
		asked[route.Method+" "+route.Path] = true
		if strings.HasSuffix(c.path, "/evidence/image") {
			_, h, _ := s.ask(t, c.method, "/api/v1"+c.path, "")
			sum = h.Get("ETag")
			if code, _, body := s.ask(t, c.method, "/api/v1"+c.path, "", "If-None-Match", sum); code != http.StatusNotModified || body != "" {
				t.Errorf("%d for what the browser has", code)
			}
		}
	}
	asked["GET /events"] = true                        // endless: see TestEventsTellOfBoardsAndPictures
	asked["GET /events/tail"] = true                   // likewise: see TestTailShowsEvents
	asked["POST /functions/{name}/invocations"] = true // needs a header: see TestInvocations
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			if !asked[method+" "+path] {
				t.Errorf("%s %s was not tried", method, path)
			}
		}
	}
	if n := len(s.records); n != 4 {
		t.Errorf("%d inspections after 4 askers, one of whom asked twice", n)
	}
}

// check sends r and holds both sides to the document.
func check(t *testing.T, router routers.Router, r *http.Request, body string, code int) *routers.Route {
	t.Helper()
	name := r.Method + " " + r.URL.RequestURI()
	route, parameters, err := router.FindRoute(r)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != code {
		t.Errorf("%s: %d %s; want %d", name, answer.StatusCode, b, code)
	}
	r.Body = io.NopCloser(strings.NewReader(body))
	if body == "" {
		r.Body = http.NoBody
	}
	in := &openapi3filter.RequestValidationInput{Request: r, PathParams: parameters, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true}}
	if err := openapi3filter.ValidateRequest(t.Context(), in); (err == nil) != (code != 400 && code != 404 || strings.Contains(name, "nobody") || strings.Contains(body, "nobody") || strings.Contains(name, "overlay") || strings.Contains(name, "live")) {
		t.Errorf("%s: answered %d, and the document says of the request: %v", name, code, err)
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: answer.StatusCode, Header: answer.Header, Options: in.Options}
	out.SetBodyBytes(bytes.Clone(b))
	if err := openapi3filter.ValidateResponse(t.Context(), out); err != nil {
		t.Errorf("%s: the answer is not as documented: %v\n%s", name, err, b)
	}
	return route
}

// An answer that lacks something must not pass the check above.
func TestDocumentIsStrict(t *testing.T) {
	schema := document(t).Components.Schemas["Inspection"].Value
	if err := schema.VisitJSON(map[string]any{"id": "x"}, openapi3.EnableJSONSchema2020()); err == nil {
		t.Error("half an inspection is as documented?")
	}
}
