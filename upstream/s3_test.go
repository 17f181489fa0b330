package upstream

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func object(key, body string) Object {
	return Object{Key: key, ContentType: "text/plain", Body: strings.NewReader(body), Size: int64(len(body)), SHA256: sumOf(body)}
}

func sumOf(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

func s3At(t *testing.T, endpoint, bucket string) *S3 {
	t.Helper()
	s, err := NewS3(S3Config{Bucket: bucket, Region: "us-east-1", Endpoint: endpoint, PathStyle: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// bucket starts a server that has the bucket "pcb".
func bucket(t *testing.T) (endpoint, credentialsFile string) {
	t.Helper()
	file := credentials(t, keyID, secret)
	endpoint = gateway(t)
	client, err := s3At(t, endpoint, "pcb").client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("pcb")}); err != nil && os.Getenv("INSPECTOR_TEST_S3") == "" {
		t.Fatal(err)
	}
	client.Options().HTTPClient.(*http.Client).CloseIdleConnections()
	return endpoint, file
}

// front puts a handler before the server that may change what passes.
func front(t *testing.T, endpoint string, change func(http.ResponseWriter, *http.Request) bool) string {
	t.Helper()
	u, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	proxy := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(u)
		r.Out.Host = r.In.Host // signed
	}}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if change(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(func() { srv.Close(); transport.CloseIdleConnections() })
	return srv.URL
}

func TestS3Put(t *testing.T) {
	endpoint, _ := bucket(t)
	s := s3At(t, endpoint, "pcb")
	o := object("boards/d-e-1/image é+ %.jpg", "copper")
	o.Metadata = map[string]string{"station": "Köln\n1"}
	first, err := s.Put(t.Context(), o)
	if err != nil || first.ETag == "" {
		t.Fatalf("new: %+v, %v", first, err)
	}
	again, err := s.Put(t.Context(), o)
	if err != nil || again.ETag != first.ETag {
		t.Errorf("again: %+v, %v; want %+v", again, err, first)
	}
	o.SHA256 = "" // computed
	if _, err := s.Put(t.Context(), o); err != nil {
		t.Errorf("again, without a sum: %v", err)
	}
	other := object(o.Key, "laminate")
	_, err = s.Put(t.Context(), other)
	want(t, err, "AlreadyExists", true)
	for _, part := range []string{sumOf("copper"), sumOf("laminate"), o.Key} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not name %s", err, part)
		}
	}
	got := get(t, s, o.Key)
	if got.body != "copper" || got.contentType != "text/plain" || got.metadata["sha256"] != sumOf("copper") || !strings.Contains(got.metadata["station"], "=?utf-8?q?K=C3=B6ln") {
		t.Errorf("the bucket holds %+v", got)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
}

// An object that somebody else put, without the checksum, is compared by what
// metadata says, and unknown is not the same.
func TestS3PutOverForeignObject(t *testing.T) {
	endpoint, _ := bucket(t)
	s := s3At(t, endpoint, "pcb")
	client, err := s.client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for key, metadata := range map[string]map[string]string{"known": {"sha256": sumOf("x")}, "unknown": nil, "wrong": {"sha256": sumOf("xx")}} {
		if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("pcb"), Key: &key, Body: strings.NewReader("x"), Metadata: metadata}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Put(t.Context(), object("known", "x")); err != nil {
		t.Error(err)
	}
	_, err = s.Put(t.Context(), object("unknown", "x"))
	want(t, err, "AlreadyExists", true)
	_, err = s.Put(t.Context(), object("wrong", "xx")) // one byte there
	want(t, err, "AlreadyExists", true)
}

type stored struct {
	body, contentType string
	metadata          map[string]string
}

func get(t *testing.T, s *S3, key string) stored {
	t.Helper()
	client, err := s.client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &s.config.Bucket, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	body, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatal(err)
	}
	return stored{string(body), aws.ToString(out.ContentType), out.Metadata}
}

func TestS3Large(t *testing.T) {
	endpoint, _ := bucket(t)
	s := s3At(t, endpoint, "pcb")
	body := make([]byte, 12<<20)
	for i, r := 0, rand.New(rand.NewPCG(1, 2)); i < len(body); i++ {
		body[i] = byte(r.Uint32())
	}
	o := object("big", string(body))
	for range 2 {
		if _, err := s.Put(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	if got := get(t, s, "big"); !bytes.Equal([]byte(got.body), body) {
		t.Error("other bytes came back")
	}
}

func TestS3Refusals(t *testing.T) {
	endpoint, file := bucket(t)
	put := func(s *S3, o Object) error { _, err := s.Put(t.Context(), o); return err }
	t.Run("missing bucket", func(t *testing.T) {
		s := s3At(t, endpoint, "nosuch")
		want(t, put(s, object("k", "x")), "NoSuchBucket", true)
		want(t, s.Check(t.Context()), "NotFound", true)
	})
	t.Run("wrong secret, corrected without restart", func(t *testing.T) {
		writeCredentials(t, file, keyID, "wrong-secret")
		s := s3At(t, endpoint, "pcb")
		want(t, put(s, object("k", "x")), "SignatureDoesNotMatch", true)
		want(t, s.Check(t.Context()), "SignatureDoesNotMatch", true)
		writeCredentials(t, file, keyID, secret)
		if err := put(s, object("k", "x")); err != nil {
			t.Error(err)
		}
	})
	t.Run("unknown key", func(t *testing.T) {
		writeCredentials(t, file, "AKIDNOBODY", secret)
		want(t, put(s3At(t, endpoint, "pcb"), object("k", "x")), "InvalidAccessKeyId", true)
	})
	t.Run("no credentials", func(t *testing.T) {
		writeCredentials(t, file, "", "")
		s := s3At(t, endpoint, "pcb")
		want(t, put(s, object("k", "x")), "NoCredentials", true)
		want(t, s.Check(t.Context()), "NoCredentials", true)
	})
	writeCredentials(t, file, keyID, secret)
	s := s3At(t, endpoint, "pcb")
	t.Run("body damaged on disk", func(t *testing.T) {
		o := object("damaged", "copper")
		o.Body = strings.NewReader("coPper")
		want(t, put(s, o), "DamagedBody", true)
		if err := put(s, object("damaged", "copper")); err != nil {
			t.Errorf("the damaged body was kept: %v", err)
		}
	})
	t.Run("body truncated", func(t *testing.T) {
		o := object("short", "copper")
		o.Body = strings.NewReader("cop")
		want(t, put(s, o), "WrongSize", true)
	})
	t.Run("key", func(t *testing.T) {
		for _, key := range []string{"", strings.Repeat("k", 1025), "a\x00b", "\xff"} {
			want(t, put(s, object(key, "x")), "InvalidKey", true)
		}
	})
	t.Run("sum", func(t *testing.T) {
		for _, sum := range []string{"12", sumOf("x") + "00", strings.Repeat("g", 64)} {
			o := object("sum", "x")
			o.SHA256 = sum
			want(t, put(s, o), "InvalidSHA256", true)
		}
	})
	t.Run("server down", func(t *testing.T) {
		s := s3At(t, "http://"+freeAddress(t), "pcb")
		want(t, put(s, object("k", "x")), "ConnectionRefused", false)
		want(t, s.Check(t.Context()), "ConnectionRefused", false)
	})
}

// What a network in between does to a call.
func TestS3Disturbed(t *testing.T) {
	endpoint, _ := bucket(t)
	answer := func(status int, contentType, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
			return false
		}
	}
	refusal := func(code string) string {
		return "<Error><Code>" + code + "</Code><Message>told so</Message></Error>"
	}
	for name, c := range map[string]struct {
		change    func(http.ResponseWriter, *http.Request) bool
		code      string
		permanent bool
	}{
		"body changed on the way": {func(w http.ResponseWriter, r *http.Request) bool {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(bytes.Replace(body, []byte("o"), []byte("0"), 1)))
			return true
		}, "XAmzContentSHA256Mismatch", false},
		"slow down":       {answer(503, "application/xml", refusal("SlowDown")), "SlowDown", false},
		"internal error":  {answer(500, "application/xml", refusal("InternalError")), "InternalError", false},
		"bad gateway":     {answer(502, "text/html", "<html><body>Bad Gateway<br></body>"), "HTTP502", false},
		"empty 503":       {answer(503, "", ""), "ServiceUnavailable", false},
		"denied":          {answer(403, "application/xml", refusal("AccessDenied")), "AccessDenied", true},
		"wrong region":    {answer(301, "application/xml", refusal("PermanentRedirect")), "PermanentRedirect", true},
		"clock":           {answer(403, "application/xml", refusal("RequestTimeTooSkewed")), "RequestTimeTooSkewed", false},
		"no If-None":      {answer(501, "application/xml", refusal("NotImplemented")), "NotImplemented", true},
		"meanwhile":       {answer(409, "application/xml", refusal("ConditionalRequestConflict")), "ConditionalRequestConflict", false},
		"login page":      {answer(200, "text/html", "<html>please log in</html>"), "NoETag", false},
		"proxy's refusal": {answer(403, "text/html", "<html><body>blocked</body></html>"), "Forbidden", false},
		"cut off": {func(w http.ResponseWriter, r *http.Request) bool {
			panic(http.ErrAbortHandler)
		}, "ConnectionLost", false},
		"upload cut off": {func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPut {
				panic(http.ErrAbortHandler)
			}
			return true
		}, "ConnectionLost", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := s3At(t, front(t, endpoint, c.change), "pcb")
			_, err := s.Put(t.Context(), object("k-"+name, "copper foil"))
			want(t, err, c.code, c.permanent)
			if _, err := s3At(t, endpoint, "pcb").Put(t.Context(), object("k-"+name, "copper foil")); err != nil {
				t.Errorf("something was kept under the key: %v", err)
			}
		})
	}
}

// The server did it, or refused it, but its answer was lost.
func TestS3AnswerLost(t *testing.T) {
	endpoint, _ := bucket(t)
	s := s3At(t, front(t, endpoint, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut {
			return true
		}
		passOn(t, endpoint, r)
		panic(http.ErrAbortHandler)
	}), "pcb")
	for range 2 {
		if receipt, err := s.Put(t.Context(), object("k", "copper")); err != nil || receipt.ETag == "" {
			t.Errorf("%+v, %v", receipt, err)
		}
	}
	_, err := s.Put(t.Context(), object("k", "laminate"))
	want(t, err, "AlreadyExists", true)
}

// passOn has the server do what r asks, and keeps its answer.
func passOn(t *testing.T, endpoint string, r *http.Request) {
	t.Helper()
	r.URL.Scheme, r.URL.Host, r.RequestURI = "http", strings.TrimPrefix(endpoint, "http://"), ""
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	answer, err := transport.RoundTrip(r)
	if err != nil {
		t.Error(err)
		return
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
}

// A cancelled call gives the body back at once.
func TestS3Cancel(t *testing.T) {
	credentials(t, keyID, secret)
	come := make(chan struct{}, 1)
	srv := httptest.NewServer(stalled(t.Context(), come))
	t.Cleanup(srv.Close) // after t.Context has ended
	s := s3At(t, srv.URL, "pcb")
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-come; cancel() }()
	o := object("k", strings.Repeat("copper", 2<<20))
	_, err := s.Put(ctx, o)
	want(t, err, "Canceled", false)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v hides its cause", err)
	}
	// Under the race detector, reading the body while the transport still
	// does would be found here.
	if sum, err := o.sum(t.Context(), ""); err != nil || hex.EncodeToString(sum[:]) != o.SHA256 {
		t.Errorf("the body cannot be read again: %v", err)
	}
}

func TestS3Config(t *testing.T) {
	for _, c := range []S3Config{
		{},
		{Bucket: "b", Endpoint: "localhost:9000"},
		{Bucket: "b", Endpoint: "http://"},
		{Bucket: "b", Endpoint: "http://me:" + secret + "@host"},
		{Bucket: "b", Endpoint: "http://me:" + secret + "@ho st"},
		{Bucket: "b", Endpoint: "http://host/?x=1"},
	} {
		if _, err := NewS3(c); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
