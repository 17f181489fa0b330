package upstream

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// keysOf lists all pages.
func keysOf(t *testing.T, list func(from string) (Listing, error)) (keys []string) {
	t.Helper()
	from := ""
	for {
		page, err := list(from)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Entries {
			if e.Size == 0 || e.LastModified.IsZero() {
				t.Errorf("entry %+v", e)
			}
			keys = append(keys, e.Key)
		}
		if from = page.Next; from == "" {
			return keys
		}
	}
}

func TestFolderGetAndList(t *testing.T) {
	dir := t.TempDir()
	d := folder(t, dir)
	_, err := d.List(t.Context(), "", "", "")
	want(t, err, "NoSuchBucket", true)
	for _, key := range []string{"in/a b.csv", "in/ä.csv", "in/b/c.csv", "out/x"} {
		if _, err := d.Put(t.Context(), object(key, "copper")); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"in/by hand.csv": "laid", ".part-x": "half", "in/.hidden/x": "no"} {
		path := filepath.Join(dir, "inspections", filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keys := keysOf(t, func(from string) (Listing, error) { return d.List(t.Context(), "", "in/", from) })
	if wanted := []string{"in/a b.csv", "in/b/c.csv", "in/by hand.csv", "in/ä.csv"}; !slices.Equal(keys, wanted) {
		t.Errorf("keys %q, want %q", keys, wanted)
	}
	for key, text := range map[string]string{"in/a b.csv": "copper", "in/by hand.csv": "laid"} {
		if got, err := d.Get(t.Context(), "", key, 6); err != nil || string(got) != text {
			t.Errorf("%s: %q, %v", key, got, err)
		}
	}
	_, err = d.Get(t.Context(), "", "in/a b.csv", 5)
	want(t, err, "EntityTooLarge", true)
	for _, key := range []string{"none", "../results/x", "/etc/hostname", ""} {
		if got, err := d.Get(t.Context(), "", key, 99); err == nil {
			t.Errorf("%q gave %q", key, got)
		}
	}
	_, err = d.Get(t.Context(), "nosuch", "k", 9)
	want(t, err, "NoSuchKey", true)
}

func TestS3GetAndList(t *testing.T) {
	endpoint, _ := bucket(t)
	s := s3At(t, endpoint, "pcb")
	for _, key := range []string{"in/a b.csv", "in/b.csv", "in/c.csv", "out/x"} {
		if _, err := s.Put(t.Context(), object(key, "copper")); err != nil {
			t.Fatal(err)
		}
	}
	keys := keysOf(t, func(from string) (Listing, error) { return s.List(t.Context(), "", "in/", from) })
	if wanted := []string{"in/a b.csv", "in/b.csv", "in/c.csv"}; !slices.Equal(keys, wanted) {
		t.Errorf("keys %q, want %q", keys, wanted)
	}
	if got, err := s.Get(t.Context(), "", "in/a b.csv", 6); err != nil || string(got) != "copper" {
		t.Errorf("%q, %v", got, err)
	}
	_, err := s.Get(t.Context(), "", "in/a b.csv", 5)
	want(t, err, "EntityTooLarge", true)
	_, err = s.Get(t.Context(), "", "none", 9)
	want(t, err, "NoSuchKey", true)
	_, err = s.Get(t.Context(), "nosuch", "k", 9)
	want(t, err, "NoSuchBucket", true)
	_, err = s.List(t.Context(), "nosuch", "", "")
	want(t, err, "NoSuchBucket", true)
	down := s3At(t, "http://127.0.0.1:1", "pcb")
	_, err = down.Get(t.Context(), "", "k", 9)
	want(t, err, "ConnectionRefused", false)
}

// A token of one page begins the next.
func TestS3ListPages(t *testing.T) {
	endpoint, _ := bucket(t)
	s := s3At(t, endpoint, "pcb")
	client, err := s.client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a", "b", "c"} {
		if _, err := s.Put(t.Context(), object(key, "copper")); err != nil {
			t.Fatal(err)
		}
	}
	first, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("pcb"), MaxKeys: aws.Int32(2)})
	if err != nil {
		t.Fatal(err)
	}
	page, err := s.List(t.Context(), "", "", aws.ToString(first.NextContinuationToken))
	if err != nil || len(page.Entries) != 1 || page.Entries[0].Key != "c" || page.Next != "" {
		t.Errorf("%+v, %v", page, err)
	}
}
