package upstream

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"
)

func s3With(t *testing.T, endpoint string, c S3Config) *S3 {
	t.Helper()
	c.Bucket, c.Region, c.Endpoint, c.PathStyle = "pcb", "us-east-1", endpoint, true
	s, err := NewS3(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// How an object is to be kept is said with it: by the object, or else by the
// configuration; in parts at their beginning.
func TestS3Headers(t *testing.T) {
	credentials(t, keyID, secret)
	var seen http.Header
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		switch {
		case r.Method == http.MethodHead:
			w.WriteHeader(http.StatusNotFound)
		case r.Method == http.MethodPut && !r.URL.Query().Has("partNumber"), r.URL.Query().Has("uploads") && r.Method == http.MethodPost:
			seen = r.Header
			w.Header().Set("ETag", `"e"`)
			w.WriteHeader(http.StatusNotImplemented) // seen enough
		}
	}))
	t.Cleanup(srv.Close)
	const class, how, key, tags = "X-Amz-Storage-Class", "X-Amz-Server-Side-Encryption", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", "X-Amz-Tagging"
	for name, c := range map[string]struct {
		config S3Config
		object Object
		want   map[string]string
	}{
		"nothing": {S3Config{}, Object{}, map[string]string{class: "", how: "", key: "", tags: ""}},
		"configured": {S3Config{StorageClass: "STANDARD_IA", Encryption: "aws:kms", KMSKey: "alias/line"}, Object{},
			map[string]string{class: "STANDARD_IA", how: "aws:kms", key: "alias/line"}},
		"object's own": {S3Config{StorageClass: "STANDARD_IA", Encryption: "aws:kms", KMSKey: "alias/line"}, Object{StorageClass: "GLACIER_IR", Encryption: "AES256"},
			map[string]string{class: "GLACIER_IR", how: "AES256", key: ""}},
		"object's own key": {S3Config{Encryption: "aws:kms", KMSKey: "alias/line"}, Object{KMSKey: "alias/other"}, map[string]string{how: "aws:kms", key: "alias/other"}},
		"tags": {S3Config{}, Object{Tags: map[string]string{"verdict": "fail", "class": "missing hole", "model": "pcb/1.0.0@3f5a"}},
			map[string]string{tags: "class=missing%20hole&model=pcb%2F1.0.0%403f5a&verdict=fail"}},
	} {
		for _, body := range []string{"x", strings.Repeat("x", MinPart+1)} {
			t.Run(fmt.Sprint(name, " ", len(body)), func(t *testing.T) {
				c.config.Multipart = MinPart
				o := object("k", body)
				o.Tags, o.StorageClass, o.Encryption, o.KMSKey = c.object.Tags, c.object.StorageClass, c.object.Encryption, c.object.KMSKey
				seen = nil
				_, err := s3With(t, srv.URL, c.config).Put(t.Context(), o)
				want(t, err, "NotImplemented", true)
				for header, value := range c.want {
					if got := seen.Get(header); got != value {
						t.Errorf("%s is %q, want %q", header, got, value)
					}
				}
			})
		}
	}
	many := map[string]string{}
	for n := range 11 {
		many[fmt.Sprint(n)] = "x"
	}
	for code, o := range map[string]Object{
		"TooManyTags":       {Tags: many},
		"InvalidTag":        {Tags: map[string]string{"class": strings.Repeat("ü", 257)}},
		"InvalidEncryption": {Encryption: "AES256", KMSKey: "k"},
	} {
		o.Key, o.Body, o.Size = "k", strings.NewReader("x"), 1
		_, err := s3With(t, srv.URL, S3Config{}).Put(t.Context(), o)
		want(t, err, code, true)
	}
}

func TestS3ConfigRefused(t *testing.T) {
	for _, c := range []S3Config{
		{Multipart: MinPart - 1}, {Multipart: maxPart + 1}, {Bandwidth: MinBandwidth - 1}, {Parallel: -1},
		{Encryption: "rot13"}, {KMSKey: "k"}, {KMSKey: "k", Encryption: "AES256"},
	} {
		c.Bucket = "b"
		if _, err := NewS3(c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}

// A real server keeps tags and class.
func TestS3Tags(t *testing.T) {
	endpoint, _ := bucket(t)
	s := s3With(t, endpoint, S3Config{StorageClass: "STANDARD"})
	o := object("k", "copper")
	o.Tags = map[string]string{"verdict": "fail", "class": "missing hole", "model": "pcb/1.0.0@3f5a"}
	for range 2 {
		if _, err := s.Put(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	if got := fmt.Sprint(tagsOf(t, s, "k")); got != fmt.Sprint(o.Tags) {
		t.Errorf("tags %v, want %v", got, o.Tags)
	}
}

// Another drawing of the same source is the same; of another source it is not.
func TestPutDerived(t *testing.T) {
	endpoint, _ := bucket(t)
	s := s3At(t, endpoint, "pcb")
	drawn := func(body, of string) Object {
		o := object("overlay.jpg", body)
		o.Derived = of
		return o
	}
	first, err := s.Put(t.Context(), drawn("by OpenCV 4", "picture and boxes"))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.Put(t.Context(), drawn("by OpenCV 5", "picture and boxes")); err != nil || again != first {
		t.Errorf("%+v, %v; want %+v", again, err, first)
	}
	_, err = s.Put(t.Context(), drawn("by OpenCV 5", "another picture"))
	want(t, err, "AlreadyExists", true)
	_, err = s.Put(t.Context(), object("overlay.jpg", "by hand"))
	want(t, err, "AlreadyExists", true)
	if got := get(t, s, "overlay.jpg"); got.body != "by OpenCV 4" {
		t.Errorf("the bucket holds %q", got.body)
	}
	d := folder(t, t.TempDir())
	for _, body := range []string{"by OpenCV 4", "by OpenCV 5"} {
		if _, err := d.Put(t.Context(), drawn(body, "picture and boxes")); err != nil {
			t.Error(err)
		}
	}
	_, err = d.Put(t.Context(), object("overlay.jpg", "by hand"))
	want(t, err, "AlreadyExists", true)
}

// All uploads together keep the bandwidth, and none starves.
func TestBandwidthIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size, speed = 1 << 20, 256 << 10
		pace := rate.NewLimiter(speed, 2*sip)
		begun := time.Now()
		took := make([]time.Duration, 4)
		var all sync.WaitGroup
		for n := range took {
			all.Go(func() {
				ctx, tick, stop := watched(t.Context(), silence)
				defer stop()
				l := &lent{ctx: ctx, pace: pace, tick: tick, r: strings.NewReader(strings.Repeat("x", size)), to: size}
				if n, err := io.Copy(io.Discard, l); err != nil || n != size {
					t.Errorf("%d bytes, %v", n, err)
				}
				took[n] = time.Since(begun)
			})
		}
		all.Wait()
		whole := time.Duration(len(took)*size-2*sip) * time.Second / speed
		for _, d := range took {
			if d > whole+time.Millisecond || d < whole-time.Second {
				t.Errorf("one took %v, all need %v", d, whole)
			}
		}
	})
}

// What stands still is given up, what moves is not.
func TestSilenceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, tick, stop := watched(t.Context(), silence)
		defer stop()
		for range 10 {
			time.Sleep(silence - time.Millisecond)
			tick()
		}
		if ctx.Err() != nil {
			t.Error("it ended though something moved")
		}
		time.Sleep(silence + time.Millisecond)
		if context.Cause(ctx) != errSilent { //nolint:errorlint // the very one
			t.Errorf("it ended with %v", context.Cause(ctx))
		}
	})
}

// A server that takes the connection and never answers.
func TestS3NeverAnswers(t *testing.T) {
	credentials(t, keyID, secret)
	come := make(chan struct{}, 9)
	srv := httptest.NewServer(stalled(t.Context(), come))
	t.Cleanup(srv.Close)
	for _, size := range []int{1, 32 << 20} {
		s := s3At(t, srv.URL, "pcb")
		s.silence = 100 * time.Millisecond
		_, err := s.Put(t.Context(), object("k", strings.Repeat("x", size)))
		if f := want(t, err, "Timeout", false); !strings.Contains(f.Error(), "nothing moved") {
			t.Error(f)
		}
	}
}

// How long an attempt may take at most.
func TestS3AtMost(t *testing.T) {
	for _, c := range []struct {
		config S3Config
		size   int64
		want   time.Duration
	}{
		{S3Config{}, 0, time.Minute},
		{S3Config{}, 1 << 20, time.Minute + 64*time.Second},
		{S3Config{Bandwidth: 10 << 20}, 1 << 20, time.Minute + 64*time.Second},
		{S3Config{Bandwidth: 64 << 10, Parallel: 8}, 1 << 20, time.Minute + 256*time.Second},
	} {
		c.config.Bucket = "b"
		s, err := NewS3(c.config)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.atMost(c.size); got != c.want {
			t.Errorf("%+v, %d bytes: %v, want %v", c.config, c.size, got, c.want)
		}
	}
}

// A clock that is an hour off is named, with both clocks; the next attempt goes
// by the server's.
func TestS3ClockOff(t *testing.T) {
	credentials(t, keyID, secret)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		now := time.Now().Add(time.Hour)
		w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
		signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		if err != nil || now.Sub(signed).Abs() > 15*time.Minute {
			w.WriteHeader(http.StatusForbidden)
			if r.Method != http.MethodHead {
				_, _ = io.WriteString(w, "<Error><Code>RequestTimeTooSkewed</Code><Message>The difference between the request time and the current time is too large.</Message></Error>")
			}
			return
		}
		w.Header().Set("ETag", `"e"`)
	}))
	t.Cleanup(srv.Close)
	named := func(err error) {
		t.Helper()
		f := want(t, err, "RequestTimeTooSkewed", false)
		for _, part := range []string{"this machine says 20", "the server 20", "apart", "timedatectl"} {
			if !strings.Contains(f.Error(), part) {
				t.Errorf("%v does not say %q", f, part)
			}
		}
		if !strings.Contains(f.Error(), ": 1h0m") && !strings.Contains(f.Error(), ": 59m59") {
			t.Errorf("%v: it is an hour", f)
		}
	}
	s := s3At(t, srv.URL, "pcb")
	_, err := s.Put(t.Context(), object("k", "x"))
	named(err)
	if _, err := s.Put(t.Context(), object("k", "x")); err != nil {
		t.Errorf("the second attempt: %v", err)
	}
	named(s3At(t, srv.URL, "pcb").Check(t.Context())) // its answer has no words
}

// The right region is told, wherever the server says it.
func TestS3WrongRegion(t *testing.T) {
	credentials(t, keyID, secret)
	for code, answer := range map[string]http.HandlerFunc{
		"PermanentRedirect": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Bucket-Region", "eu-central-1")
			w.WriteHeader(http.StatusMovedPermanently)
			_, _ = io.WriteString(w, "<Error><Code>PermanentRedirect</Code><Message>use another endpoint</Message></Error>")
		},
		"AuthorizationHeaderMalformed": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, "<Error><Code>AuthorizationHeaderMalformed</Code><Message>The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-central-1'</Message><Region>eu-central-1</Region></Error>")
		},
	} {
		srv := httptest.NewServer(answer)
		t.Cleanup(srv.Close)
		_, err := s3At(t, srv.URL, "pcb").Put(t.Context(), object("k", "x"))
		if f := want(t, err, code, true); !strings.Contains(f.Error(), "eu-central-1") {
			t.Errorf("%v does not name the region", f)
		}
	}
}

// A login page says yes to everything.
func TestS3LoginPage(t *testing.T) {
	credentials(t, keyID, secret)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, "<html><body>please log in</body></html>")
	}))
	t.Cleanup(srv.Close)
	s := s3At(t, srv.URL, "pcb")
	want(t, s.Check(t.Context()), "HTMLPage", false)
	_, err := s.Put(t.Context(), object("k", "x"))
	want(t, err, "NoETag", false)
	_, err = s.Get(t.Context(), "", "k", 1<<20)
	want(t, err, "NoETag", false)
	_, err = s.List(t.Context(), "", "k", "")
	want(t, err, "NoList", false)
}
