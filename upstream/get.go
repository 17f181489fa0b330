package upstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// An Entry is one object of a list.
type Entry struct {
	Key          string
	Size         int64 // bytes
	LastModified time.Time
	ETag         string // as S3 quotes it; a folder has none
	StorageClass string // empty in a folder
}

// A Listing is one page of a list, by key. Next is where the next begins;
// empty at the end.
type Listing struct {
	Entries []Entry
	Next    string
}

// beyond is the fault of an object beyond the reader's limit.
func beyond(target string, limit int64) *Fault {
	return &Fault{Op: "get", Target: target, Code: "EntityTooLarge", permanent: true,
		Remedy: fmt.Sprintf("the object has more than %d bytes: split it", limit)}
}

// Get reads an object of at most limit bytes; an empty bucket is the
// configured one. An attempt ends after 15 s and what limit needs at 1 MiB/s.
// Errors are *Fault.
func (s *S3) Get(ctx context.Context, bucket, key string, limit int64) ([]byte, error) {
	bucket = cmp.Or(bucket, s.config.Bucket)
	target := "s3://" + bucket + "/" + key
	client, err := s.client(ctx)
	if err != nil {
		return nil, s.account.fault("get", target, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second+time.Duration(limit)*time.Second/(1<<20))
	defer cancel()
	answer, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return nil, s.account.fault("get", target, err)
	}
	defer answer.Body.Close()
	if aws.ToString(answer.ETag) == "" {
		return nil, stranger("get", target, "NoETag")
	}
	return readAll(ctx, target, answer.Body, limit)
}

func readAll(ctx context.Context, target string, r io.Reader, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(reader{ctx, r}, limit+1))
	switch {
	case err != nil:
		return nil, classify("get", target, cmp.Or(ctx.Err(), err))
	case int64(len(body)) > limit:
		return nil, beyond(target, limit)
	}
	return body, nil
}

// List gives the objects whose keys begin with prefix, one page at a time:
// from is the Next of the page before, empty at first. Errors are *Fault.
func (s *S3) List(ctx context.Context, bucket, prefix, from string) (Listing, error) {
	bucket = cmp.Or(bucket, s.config.Bucket)
	target := "s3://" + bucket + "/" + prefix
	client, err := s.client(ctx)
	if err != nil {
		return Listing{}, s.account.fault("list", target, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	in := &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix}
	if from != "" {
		in.ContinuationToken = &from
	}
	answer, err := client.ListObjectsV2(ctx, in)
	if err != nil {
		return Listing{}, s.account.fault("list", target, err)
	}
	if answer.Name == nil {
		return Listing{}, stranger("list", target, "NoList")
	}
	page := Listing{Next: aws.ToString(answer.NextContinuationToken)}
	for _, o := range answer.Contents {
		page.Entries = append(page.Entries, Entry{aws.ToString(o.Key), aws.ToInt64(o.Size), aws.ToTime(o.LastModified), aws.ToString(o.ETag), string(o.StorageClass)})
	}
	return page, nil
}

// Get reads an object of at most limit bytes; an empty bucket is the
// configured one. A file that a person laid there is found under its own name.
// Errors are *Fault.
func (d *Folder) Get(ctx context.Context, bucket, key string, limit int64) ([]byte, error) {
	folder := fileName(cmp.Or(bucket, d.config.Bucket))
	target := filepath.Join(d.config.Dir, folder, filepath.FromSlash(key))
	root, err := os.OpenRoot(d.config.Dir)
	if err != nil {
		return nil, notThere("get", target, err)
	}
	defer root.Close()
	f, err := root.Open(path.Join(folder, keyPath(key)))
	if errors.Is(err, fs.ErrNotExist) && fs.ValidPath(key) {
		f, err = root.Open(path.Join(folder, key))
	}
	if err != nil {
		return nil, notThere("get", target, err)
	}
	defer f.Close()
	return readAll(ctx, target, f, limit)
}

// notThere is S3's word for what a folder has not.
func notThere(op, target string, err error) *Fault {
	if !errors.Is(err, fs.ErrNotExist) {
		return classify(op, target, err)
	}
	code, remedy := "NoSuchKey", noSuchKey
	if op == "list" {
		code, remedy = "NoSuchBucket", "create the folder, or correct the bucket's name; then redrive"
	}
	return &Fault{Op: op, Target: target, Code: code, Remedy: remedy, Err: err, permanent: true}
}

const noSuchKey = "put the object there, or correct its key; then redrive"

// folderPage is how many entries a page of a folder has: each reads the whole
// folder's names.
const folderPage = 10_000

// List gives the objects whose keys begin with prefix, one page at a time:
// from is the Next of the page before, empty at first. Errors are *Fault.
func (d *Folder) List(ctx context.Context, bucket, prefix, from string) (Listing, error) {
	folder := fileName(cmp.Or(bucket, d.config.Bucket))
	target := filepath.Join(d.config.Dir, folder)
	root, err := os.OpenRoot(target)
	if err != nil {
		return Listing{}, notThere("list", target, err)
	}
	defer root.Close()
	var all []Entry
	err = fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil || ctx.Err() != nil:
			return cmp.Or(ctx.Err(), err)
		case name != "." && strings.HasPrefix(e.Name(), ".") && e.IsDir():
			return fs.SkipDir
		case !e.Type().IsRegular() || strings.HasPrefix(e.Name(), "."):
			return nil
		}
		key := keyOf(name)
		if !strings.HasPrefix(key, prefix) || key <= from {
			return nil
		}
		info, err := e.Info()
		if err == nil {
			all = append(all, Entry{Key: key, Size: info.Size(), LastModified: info.ModTime()})
		}
		return err
	})
	if err != nil {
		return Listing{}, classify("list", target, err)
	}
	slices.SortFunc(all, func(a, b Entry) int { return strings.Compare(a.Key, b.Key) })
	page := Listing{Entries: all}
	if len(all) > folderPage {
		page = Listing{all[:folderPage], all[folderPage-1].Key}
	}
	return page, nil
}

// keyOf is the key that keyPath made the path of; where none did, the path.
func keyOf(name string) string {
	if key, err := url.PathUnescape(name); err == nil && keyPath(key) == name {
		return key
	}
	return name
}
