package upstream

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// signers is an S3 that takes everything and notes who signed.
type signers struct {
	url string

	mu    sync.Mutex
	ids   []string
	token string // of the session, of the last request
}

func newSigners(t *testing.T) *signers {
	t.Helper()
	s := &signers{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, after, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
		id, _, _ := strings.Cut(after, "/")
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ids, s.token = append(s.ids, id), r.Header.Get("X-Amz-Security-Token")
		w.Header().Set("ETag", `"e"`)
	}))
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

// issuer hands credentials out over HTTP, in the words of those who ask.
func issuer(t *testing.T, answer func(r *http.Request) string) (url string, asked func() int) {
	t.Helper()
	var mu sync.Mutex
	n := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		mu.Lock()
		defer mu.Unlock()
		n++
		text := answer(r)
		if text == "" {
			w.WriteHeader(http.StatusForbidden)
			text = `{"code":"Refused","message":"` + secret + `"}`
		}
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, func() int { mu.Lock(); defer mu.Unlock(); return n }
}

func writeFile(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return file
}

// Each source of credentials that the SDK knows, and what it says when it
// fails: never the secret.
func TestS3Credentials(t *testing.T) {
	until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for name, c := range map[string]struct {
		set   func(t *testing.T)
		id    string
		token string
		spoil func(t *testing.T) // makes the same source fail
	}{
		"environment": {func(t *testing.T) {
			t.Setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
			t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
			t.Setenv("AWS_SESSION_TOKEN", "session")
		}, "AKIDENV", "session", func(t *testing.T) { t.Setenv("AWS_ACCESS_KEY_ID", "") }},
		"shared file, by profile": {func(t *testing.T) {
			t.Setenv("AWS_SHARED_CREDENTIALS_FILE", writeFile(t, "credentials", "[line1]\naws_access_key_id = AKIDFILE\naws_secret_access_key = "+secret+"\n", 0o600))
			t.Setenv("AWS_PROFILE", "line1")
		}, "AKIDFILE", "", func(t *testing.T) { t.Setenv("AWS_PROFILE", "nobody") }},
		"a program, as IAM Roles Anywhere has one": {func(t *testing.T) {
			program := writeFile(t, "helper", "#!/bin/sh\necho '{\"Version\":1,\"AccessKeyId\":\"AKIDPROCESS\",\"SecretAccessKey\":\""+secret+"\",\"SessionToken\":\"anywhere\",\"Expiration\":\""+until+"\"}'\n", 0o700)
			t.Setenv("AWS_CONFIG_FILE", writeFile(t, "config", "[default]\ncredential_process = "+program+"\n", 0o600))
		}, "AKIDPROCESS", "anywhere", func(t *testing.T) {
			program := writeFile(t, "helper", "#!/bin/sh\necho "+secret+"; exit 1\n", 0o700)
			t.Setenv("AWS_CONFIG_FILE", writeFile(t, "config", "[default]\ncredential_process = "+program+"\n", 0o600))
		}},
		"container": {func(t *testing.T) {
			url, _ := issuer(t, func(r *http.Request) string {
				if r.Header.Get("Authorization") != "pod" {
					return ""
				}
				return `{"AccessKeyId":"AKIDPOD","SecretAccessKey":"` + secret + `","Token":"pod-session","Expiration":"` + until + `"}`
			})
			t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url+"/credentials")
			t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", writeFile(t, "token", "pod", 0o600))
		}, "AKIDPOD", "pod-session", func(t *testing.T) {
			t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", writeFile(t, "token", "wrong-secret", 0o600))
		}},
		"web identity": {func(t *testing.T) {
			url, _ := issuer(t, func(r *http.Request) string {
				if r.Form.Get("WebIdentityToken") != "oidc" || r.Form.Get("RoleArn") != "arn:aws:iam::123456789012:role/line" {
					return ""
				}
				return `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>AKIDWEB</AccessKeyId><SecretAccessKey>` + secret +
					`</SecretAccessKey><SessionToken>web-session</SessionToken><Expiration>` + until + `</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`
			})
			t.Setenv("AWS_ENDPOINT_URL_STS", url)
			t.Setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/line")
			t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", writeFile(t, "token", "oidc", 0o600))
		}, "AKIDWEB", "web-session", func(t *testing.T) {
			t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", filepath.Join(t.TempDir(), "none"))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			credentials(t, "", "")
			c.set(t)
			to := newSigners(t)
			s := s3At(t, to.url, "pcb")
			if _, err := s.Put(t.Context(), object("k", "x")); err != nil {
				t.Fatal(err)
			}
			if to.ids[0] != c.id || to.token != c.token {
				t.Errorf("signed by %v with session %q, want %s with %q", to.ids, to.token, c.id, c.token)
			}
			if text := fmt.Sprintf("%v %+v %#v", s, s, &s.config); strings.Contains(text, secret) {
				t.Errorf("it prints the secret: %s", text)
			}
			c.spoil(t)
			_, err := s3At(t, to.url, "pcb").Put(t.Context(), object("k", "x"))
			if f := want(t, err, "NoCredentials", true); len(to.ids) != 1 {
				t.Errorf("a request without credentials: %v, %v", to.ids, f)
			}
		})
	}
}

// The metadata service of a machine is asked only if that is configured: off
// Amazon's machines the question hangs.
func TestS3InstanceRole(t *testing.T) {
	credentials(t, "", "")
	url, asked := issuer(t, func(r *http.Request) string {
		switch r.URL.Path {
		case "/latest/api/token":
			return "imds"
		case "/latest/meta-data/iam/security-credentials/":
			return "line"
		}
		return `{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"AKIDEC2","SecretAccessKey":"` + secret + `","Token":"ec2","Expiration":"2099-01-01T00:00:00Z"}`
	})
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
	to := newSigners(t)
	_, err := s3At(t, to.url, "pcb").Put(t.Context(), object("k", "x"))
	if want(t, err, "NoCredentials", true); asked() != 0 {
		t.Error("the metadata service was asked unasked")
	}
	s, err := NewS3(S3Config{Bucket: "pcb", Region: "us-east-1", Endpoint: to.url, PathStyle: true, InstanceRole: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Put(t.Context(), object("k", "x")); err != nil || to.ids[0] != "AKIDEC2" {
		t.Errorf("%v, signed by %v", err, to.ids)
	}
}
