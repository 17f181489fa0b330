package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"inspector/web"
)

// A server that quotes what it was sent, when it refuses a signature, does not
// bring the appliance to tell a secret: not in the log, the status, the metrics,
// the parked work or an execution.
func TestS3SecretIsNotTold(t *testing.T) {
	const key, session = "secret-key-0b9e1c", "session-token-77aa"
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, "<Error><Code>SignatureDoesNotMatch</Code><Message>no match for x-amz-security-token:%s with %s, %s</Message></Error>", r.Header.Get("X-Amz-Security-Token"), r.Header.Get("Authorization"), key)
	}))
	t.Cleanup(srv.Close)
	none := filepath.Join(t.TempDir(), "none")
	a := startAppliance(t, t.TempDir(), "INSPECTOR_UPSTREAM_KIND=aws", "INSPECTOR_UPSTREAM_ENDPOINT="+srv.URL, "INSPECTOR_UPSTREAM_PATH_STYLE=true", "INSPECTOR_SIMULATED_DEFECT_RATE=1", "INSPECTOR_LOG_LEVEL=debug",
		"AWS_ACCESS_KEY_ID=AKIDTEST", "AWS_SECRET_ACCESS_KEY="+key, "AWS_SESSION_TOKEN="+session, "AWS_CONFIG_FILE="+none, "AWS_SHARED_CREDENTIALS_FILE="+none)
	refused := func(s web.Status) bool {
		return slices.ContainsFunc(s.Targets, func(t web.Target) bool { return t.Name == "s3 evidence" && t.Parked > 0 })
	}
	for end := time.Now().Add(time.Minute); !refused(a.status()); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("nothing was refused: %+v", a.status().Targets)
		}
	}
	told := map[string]string{}
	for _, path := range []string{"/api/v1/status", "/api/v1/parked", "/api/v1/inspections", "/metrics"} {
		code, text := a.do(http.MethodGet, path, "", nil)
		if told[path] = string(text); code != http.StatusOK {
			t.Errorf("%s: %d", path, code)
		}
	}
	if !strings.Contains(told["/api/v1/parked"], "correct the secret access key") {
		t.Errorf("the parked work does not say what to do: %s", told["/api/v1/parked"])
	}
	a.stop()
	told["the log"] = a.logs.String()
	for where, text := range told {
		for _, hidden := range []string{key, session, "AWS4-HMAC"} {
			if strings.Contains(text, hidden) {
				t.Errorf("%s tells %q", where, hidden)
			}
		}
	}
}
