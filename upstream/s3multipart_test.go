package upstream

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// noise is bytes of which no two parts are alike.
func noise(size int, seed uint64) string {
	body := make([]byte, size)
	r := rand.New(rand.NewPCG(seed, 2))
	for i := 0; i+8 <= len(body); i += 8 {
		for v, n := r.Uint64(), 0; n < 8; n++ {
			body[i+n] = byte(v >> (8 * n))
		}
	}
	return string(body)
}

// inParts is an S3 that sends what has more than 5 MiB in parts.
func inParts(t *testing.T, endpoint string) *S3 {
	t.Helper()
	s, err := NewS3(S3Config{Bucket: "pcb", Region: "us-east-1", Endpoint: endpoint, PathStyle: true, Multipart: MinPart})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// unfinished counts the uploads of which parts lie in the bucket.
func unfinished(t *testing.T, s *S3) int {
	t.Helper()
	client, err := s.client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: aws.String("pcb")})
	if err != nil {
		t.Fatal(err)
	}
	return len(answer.Uploads)
}

const large = 12 << 20 // three parts

func TestS3InParts(t *testing.T) {
	endpoint, _ := bucket(t)
	s := inParts(t, endpoint)
	body := noise(large, 1)
	o := object("boards/1/image.jpg", body)
	o.Tags = map[string]string{"verdict": "fail"}
	first, err := s.Put(t.Context(), o)
	if err != nil || !strings.HasSuffix(strings.Trim(first.ETag, `"`), "-3") {
		t.Fatalf("%+v, %v; want three parts", first, err)
	}
	if again, err := s.Put(t.Context(), o); err != nil || again.ETag != first.ETag {
		t.Errorf("again: %+v, %v", again, err)
	}
	_, err = s.Put(t.Context(), object(o.Key, noise(large, 2)))
	want(t, err, "AlreadyExists", true)
	if got := get(t, s, o.Key); got.body != body || got.metadata["sha256"] != sumOf(body) || got.contentType != "text/plain" {
		t.Errorf("other bytes came back, with %v", got.metadata)
	}
	if tags := tagsOf(t, s, o.Key); tags["verdict"] != "fail" {
		t.Errorf("tags %v", tags)
	}
	if n := unfinished(t, s); n != 0 {
		t.Errorf("%d uploads are left", n)
	}
}

func tagsOf(t *testing.T, s *S3, key string) map[string]string {
	t.Helper()
	client, err := s.client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: aws.String("pcb"), Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	tags := map[string]string{}
	for _, tag := range answer.TagSet {
		tags[*tag.Key] = *tag.Value
	}
	return tags
}

// What happens to an upload in parts, what is left of it then, and that the
// next attempt succeeds.
func TestS3PartsDisturbed(t *testing.T) {
	endpoint, _ := bucket(t)
	straight := inParts(t, endpoint)
	body := noise(large, 3)
	refuse := func(w http.ResponseWriter, r *http.Request, status int, code string) bool {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "<Error><Code>"+code+"</Code><Message>told so</Message></Error>")
		return false
	}
	isPart := func(r *http.Request, n string) bool { return r.URL.Query().Get("partNumber") == n }
	isLast := func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Query().Has("uploadId") }
	isList := func(r *http.Request) bool { return r.Method == http.MethodGet && r.URL.Query().Has("uploads") }
	for name, c := range map[string]struct {
		change    func(w http.ResponseWriter, r *http.Request) bool
		code      string
		permanent bool
		left      int // uploads that wait for the next attempt
	}{
		"the line breaks": {func(_ http.ResponseWriter, r *http.Request) bool {
			if isPart(r, "2") {
				panic(http.ErrAbortHandler)
			}
			return true
		}, "ConnectionLost", false, 1},
		"throttled": {func(w http.ResponseWriter, r *http.Request) bool {
			return !isPart(r, "3") || refuse(w, r, 503, "SlowDown")
		}, "SlowDown", false, 1},
		"refused for good": {func(w http.ResponseWriter, r *http.Request) bool {
			return !isPart(r, "2") || refuse(w, r, 403, "AccessDenied")
		}, "AccessDenied", true, 0},
		"part changed on the way": {func(_ http.ResponseWriter, r *http.Request) bool {
			if isPart(r, "2") {
				b, _ := io.ReadAll(r.Body)
				b[7] ^= 1
				r.Body = io.NopCloser(bytes.NewReader(b))
			}
			return true
		}, "XAmzContentSHA256Mismatch", false, 1},
		"broken where nobody may list": {func(w http.ResponseWriter, r *http.Request) bool {
			if isPart(r, "2") {
				panic(http.ErrAbortHandler)
			}
			return !isList(r) || refuse(w, r, 403, "AccessDenied")
		}, "ConnectionLost", false, 0},
		"no answer to the list": {func(_ http.ResponseWriter, r *http.Request) bool {
			if isList(r) {
				panic(http.ErrAbortHandler)
			}
			return true
		}, "ConnectionLost", false, 0},
		"login page at the end": {func(w http.ResponseWriter, r *http.Request) bool {
			if isLast(r) {
				_, _ = io.WriteString(w, "<html>log in</html>")
			}
			return !isLast(r)
		}, "NoETag", false, 1},
		"login page at the start": {func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPost {
				_, _ = io.WriteString(w, "<html>log in</html>")
			}
			return r.Method != http.MethodPost
		}, "NoUploadID", false, 0},
		"half an answer at the end": {func(w http.ResponseWriter, r *http.Request) bool {
			if isLast(r) {
				_, _ = io.WriteString(w, "<CompleteMultipartUploadResult><ETag>x")
			}
			return !isLast(r)
		}, "GarbledAnswer", false, 1},
		"a 200 that says no": {func(w http.ResponseWriter, r *http.Request) bool {
			return !isLast(r) || refuse(w, r, 200, "InternalError")
		}, "InternalError", false, 1},
		"parts are lost": {func(w http.ResponseWriter, r *http.Request) bool {
			return !isLast(r) || refuse(w, r, 400, "InvalidPart")
		}, "InvalidPart", false, 0},
		"somebody aborts it": {func(w http.ResponseWriter, r *http.Request) bool {
			return !isLast(r) || refuse(w, r, 404, "NoSuchUpload")
		}, "NoSuchUpload", false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			o := object("k-"+name, body)
			_, err := inParts(t, front(t, endpoint, c.change)).Put(t.Context(), o)
			want(t, err, c.code, c.permanent)
			if n := unfinished(t, straight); n != c.left {
				t.Errorf("%d uploads are left, want %d", n, c.left)
			}
			if _, err := straight.Put(t.Context(), o); err != nil {
				t.Errorf("the next attempt: %v", err)
			}
			if n := unfinished(t, straight); n != 0 {
				t.Errorf("%d uploads are left in the end", n)
			}
			if got := get(t, straight, o.Key); got.body != body {
				t.Error("other bytes came back")
			}
		})
	}
}

// After a power cut the newest upload goes on with the parts that are there
// and right, and older ones are aborted.
func TestS3PartsAfterPowerCut(t *testing.T) {
	endpoint, _ := bucket(t)
	var sent atomic.Int32
	s := inParts(t, front(t, endpoint, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Has("partNumber") {
			sent.Add(1)
		}
		return true
	}))
	body := noise(large, 4)
	o := object("k", body)
	client, err := inParts(t, endpoint).client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"k", "k", "k2"} { // k2 is somebody else's
		begun, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: aws.String("pcb"), Key: &key,
			ChecksumAlgorithm: types.ChecksumAlgorithmSha256, Metadata: map[string]string{"sha256": o.SHA256}})
		if err != nil {
			t.Fatal(err)
		}
		for n, part := range []string{body[:MinPart], noise(MinPart, 5)} { // the second is another's
			if _, err := client.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: aws.String("pcb"), Key: &key, UploadId: begun.UploadId, PartNumber: aws.Int32(int32(n + 1)),
				Body: strings.NewReader(part), ChecksumAlgorithm: types.ChecksumAlgorithmSha256}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := s.Put(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, "k"); got.body != body {
		t.Error("other bytes came back")
	}
	if n := sent.Load(); n != 2 {
		t.Errorf("%d parts were sent, want the two that were missing or wrong", n)
	}
	if n := unfinished(t, s); n != 1 {
		t.Errorf("%d uploads are left, want the other key's", n)
	}
}

// Somebody takes the key while the parts are on their way, or the last answer
// is lost.
func TestS3PartsRace(t *testing.T) {
	endpoint, _ := bucket(t)
	straight := inParts(t, endpoint)
	body := noise(large, 6)
	for name, c := range map[string]struct{ there, code string }{"the same": {body, ""}, "another": {"laminate", "AlreadyExists"}} {
		t.Run(name, func(t *testing.T) {
			s := inParts(t, front(t, endpoint, func(_ http.ResponseWriter, r *http.Request) bool {
				if r.URL.Query().Get("partNumber") == "3" {
					o := object("k-"+name, c.there)
					if _, err := s3At(t, endpoint, "pcb").Put(t.Context(), o); err != nil {
						t.Error(err)
					}
				}
				return true
			}))
			_, err := s.Put(t.Context(), object("k-"+name, body))
			if c.code != "" {
				want(t, err, c.code, true)
			} else if err != nil {
				t.Error(err)
			}
			if n := unfinished(t, straight); n != 0 {
				t.Errorf("%d uploads are left", n)
			}
		})
	}
	t.Run("lost answer", func(t *testing.T) {
		s := inParts(t, front(t, endpoint, func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPost || !r.URL.Query().Has("uploadId") {
				return true
			}
			passOn(t, endpoint, r)
			panic(http.ErrAbortHandler)
		}))
		if receipt, err := s.Put(t.Context(), object("lost", body)); err != nil || receipt.ETag == "" {
			t.Errorf("%+v, %v", receipt, err)
		}
	})
	t.Run("damaged on disk", func(t *testing.T) {
		o := object("damaged", body)
		o.Body = strings.NewReader(body[:large-1] + "x")
		_, err := straight.Put(t.Context(), o)
		want(t, err, "DamagedBody", true)
		if n := unfinished(t, straight); n != 0 {
			t.Errorf("%d uploads are left", n)
		}
	})
}
