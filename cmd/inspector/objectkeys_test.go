package main

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"inspector"
	"inspector/upstream"
)

func keyed() inspector.Inspection {
	return inspector.Inspection{ID: "aoi_1-5eed0001-7", Station: inspector.Station{Site: "ulm", Line: "line1", Device: "aoi_1"}, Recipe: "main board/ä", Verdict: inspector.Fail,
		At: time.Date(2026, 3, 1, 0, 30, 0, 0, time.FixedZone("CET", 3600)), Model: "pcb/1.0.0@3f5a", Evidence: []inspector.Blob{{Kind: "image", Type: "image/jpeg"}},
		Defects: []inspector.Defect{{Class: "short", Score: .7}, {Class: "missing hole", Score: .9}, {Class: "open", Score: .8}}}
}

func TestObjectKeys(t *testing.T) {
	for pattern, want := range map[string]string{
		"":                                     "boards/ulm/line1/aoi_1/main_board_/2026/02/28/aoi_1-5eed0001-7/image.jpg",
		"{yyyy}{mm}{dd}-{id}-{file}":           "20260228-aoi_1-5eed0001-7-image.jpg",
		"x/{prefix}/{line}/{id}/{id}/y/{file}": "x/boards/line1/aoi_1-5eed0001-7/aoi_1-5eed0001-7/y/image.jpg",
	} {
		if got := (UpstreamConfig{Prefix: "/boards/", Key: pattern}).keys(keyed()); got["image"] != want || got["record"] != strings.Replace(want, "image.jpg", "inspection.json", 1) ||
			got["overlay"] != strings.Replace(want, "image.jpg", "overlay.jpg", 1) {
			t.Errorf("%q gives %v, want %s", pattern, got, want)
		}
	}
	empty := (UpstreamConfig{Key: "{prefix}/{site}/{id}/{file}"}).keys(inspector.Inspection{ID: "i"})
	if want := map[string]string{"image": "_/i/image", "overlay": "_/i/overlay.jpg", "record": "_/i/inspection.json"}; !maps.Equal(empty, want) {
		t.Errorf("what is not known gives %v", empty)
	}
	for pattern, ok := range map[string]bool{
		defaultKey: true, "{id}/{file}": true, "{id}": false, "{file}": false, "": false, "{id}/{file}/{year}": false, "{id}/{file}/{": false, "{id}/{file}/}{": false, "{{id}}/{file}": false,
		"{id}/{file}/" + strings.Repeat("x", 256): false,
	} {
		var f faults
		if addKeyFaults(&f, pattern); (len(f) == 0) != ok {
			t.Errorf("%q: %v", pattern, f)
		}
	}
}

func TestObjectTags(t *testing.T) {
	u := UpstreamConfig{S3: S3Config{Tags: true}}
	if got, want := u.tags(keyed()), "class=missing+hole&model=pcb%2F1.0.0%403f5a&verdict=fail"; got != want {
		t.Errorf("tags %s, want %s", got, want)
	}
	got, err := url.ParseQuery(u.tags(inspector.Inspection{Verdict: inspector.Unsure, Model: strings.Repeat("ü", 300) + "?", Defects: []inspector.Defect{{Class: "<x>"}}}))
	if err != nil || got.Get("class") != "_x_" || got.Get("model") != strings.Repeat("ü", 256) || got.Get("verdict") != "unsure" {
		t.Errorf("tags %v, %v", got, err)
	}
	if got := u.tags(inspector.Inspection{Verdict: inspector.Pass}); got != "class=none&model=none&verdict=pass" {
		t.Errorf("tags %s", got)
	}
	if got := (UpstreamConfig{}).tags(keyed()); got != "" {
		t.Errorf("unwanted tags %s", got)
	}
}

// What an execution knows of upstream: a pass has an hour only if it is to be
// forwarded.
func TestUpstreamOf(t *testing.T) {
	i := keyed()
	u := UpstreamConfig{Bucket: "b", Prefix: "p", QueueURL: "q"}
	if out := u.of(i); out["passes_at"] != nil || out["bucket"] != "b" || out["prefix"] != "p" || out["queue"] != "q" {
		t.Errorf("%v", out)
	}
	u.Passes = true
	if out := u.of(i); out["passes_at"] != "2026-02-28T23:30:00.000Z" {
		t.Errorf("%v", out)
	}
}

// What the handler of putObject makes of its input.
func TestPutInput(t *testing.T) {
	o, err := putInput{Bucket: "b", Key: "k", ContentType: "c", Tagging: "class=missing+hole&verdict=fail", StorageClass: "STANDARD_IA",
		ServerSideEncryption: "aws:kms", SSEKMSKeyId: "alias/x", IfNoneMatch: "*"}.object()
	if err != nil || !maps.Equal(o.Tags, map[string]string{"class": "missing hole", "verdict": "fail"}) || o.StorageClass != "STANDARD_IA" || o.Encryption != "aws:kms" || o.KMSKey != "alias/x" ||
		o.Bucket != "b" || o.Key != "k" || o.ContentType != "c" {
		t.Errorf("%+v, %v", o, err)
	}
	for _, in := range []putInput{{Tagging: "a=1&a=2"}, {Tagging: "%zz"}, {IfNoneMatch: "etag"}} {
		if _, err := in.object(); err == nil {
			t.Errorf("%+v is taken", in)
		}
	}
}

// The configuration reaches the S3.
func TestS3Of(t *testing.T) {
	u := defaults().Upstream
	if c := u.s3(); c.Encryption != "" || c.Multipart != 16<<20 || c.Parallel != 8 || c.Bandwidth != 0 || c.InstanceRole {
		t.Errorf("%+v", c)
	}
	u.S3.Encryption, u.S3.KMSKey, u.S3.StorageClass, u.S3.Bandwidth, u.S3.InstanceRole = "aws:kms", "alias/x", "STANDARD_IA", 1<<20, true
	if c := u.s3(); c.Encryption != "aws:kms" || c.KMSKey != "alias/x" || c.StorageClass != "STANDARD_IA" || c.Bandwidth != 1<<20 || !c.InstanceRole {
		t.Errorf("%+v", c)
	}
	if _, err := upstream.NewS3(u.s3()); err != nil {
		t.Error(err)
	}
	for key, spoil := range map[string]func(*S3Config){
		"upstream.s3.encryption":   func(c *S3Config) { c.Encryption = "rot13" },
		"upstream.s3.kms_key":      func(c *S3Config) { c.KMSKey = "x" },
		"upstream.s3.multipart":    func(c *S3Config) { c.Multipart = 1 << 20 },
		"upstream.s3.parallel":     func(c *S3Config) { c.Parallel = 0 },
		"upstream.s3.bandwidth":    func(c *S3Config) { c.Bandwidth = 1 },
		"upstream.s3.hours.passes": func(c *S3Config) { c.Hours.Passes = "10-11" },
	} {
		c := defaults()
		spoil(&c.Upstream.S3)
		if f := c.faults(); !slices.ContainsFunc(f, func(f fault) bool { return f.key == key }) {
			t.Errorf("%s: faults %v", key, f)
		}
	}
}
