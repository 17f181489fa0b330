package upstream

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
)

// FolderConfig says where a folder stands for S3 and SQS.
type FolderConfig struct {
	Dir    string // made when first needed
	Bucket string // folder of the objects below Dir
	Queue  string // folder of the messages below Dir
}

// Folder keeps objects as DIR/BUCKET/KEY and messages as DIR/QUEUE/KEY.json.
// What a name cannot hold is written %XX, so that different keys are different
// files and none is outside Dir. One Folder at a time may use a Dir; its
// methods may be called from any goroutine at the same time.
type Folder struct {
	config  FolderConfig
	writing sync.Mutex // one file at a time: nobody takes a name between look and rename
}

// NewFolder checks the configuration. It opens and makes nothing.
func NewFolder(c FolderConfig) (*Folder, error) {
	if c.Dir == "" || c.Bucket == "" || c.Queue == "" {
		return nil, errors.New("upstream: a folder needs a directory, a bucket and a queue")
	}
	return &Folder{config: c}, nil
}

// Put keeps o unless its key is taken; the same bytes again are success, and so
// is whatever is there already of something derived. Once
// it has returned nil, a power cut cannot take the bytes back. The receipt's
// ETag is the sha256. Errors are *Fault.
func (d *Folder) Put(ctx context.Context, o Object) (Receipt, error) {
	bucket := o.Bucket
	if bucket == "" {
		bucket = d.config.Bucket
	}
	name := path.Join(fileName(bucket), keyPath(o.Key))
	target := filepath.Join(d.config.Dir, filepath.FromSlash(name))
	want, err := o.verify(ctx, target)
	if err != nil {
		return Receipt{}, err
	}
	if _, err := o.Body.Seek(0, io.SeekStart); err != nil {
		return Receipt{}, classify("put", target, err)
	}
	err = d.write(ctx, "put", name, o.Body, want)
	if o.Derived != "" && hasCode(err, "AlreadyExists") {
		err = nil
	}
	if err != nil {
		return Receipt{}, err
	}
	return Receipt{ETag: hex.EncodeToString(want[:])}, nil
}

// Send keeps m as one file of JSON named by its key in the folder of the queue
// (the last part of a URL), and returns the file's
// name below the directory. The same message again is success. Errors are
// *Fault.
func (d *Folder) Send(ctx context.Context, m Message) (string, error) {
	name := path.Join(fileName(path.Base(cmp.Or(m.Queue, d.config.Queue))), fileName(m.Dedup)+".json")
	target := filepath.Join(d.config.Dir, filepath.FromSlash(name))
	if err := m.verify(target); err != nil {
		return "", err
	}
	text, err := json.MarshalIndent(struct {
		Key        string            `json:"key"`
		Group      string            `json:"group,omitempty"`
		Attributes map[string]string `json:"attributes"`
		Body       string            `json:"body"`
	}{m.Dedup, m.Group, m.attributes(), m.Body}, "", "  ")
	if err != nil {
		return "", classify("send", target, err)
	}
	text = append(text, '\n')
	return name, d.write(ctx, "send", name, bytes.NewReader(text), sha256.Sum256(text))
}

// Check reports whether the folder can be written, by writing to it. Errors
// are *Fault.
func (d *Folder) Check(ctx context.Context) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	root, err := d.open()
	if err == nil {
		defer root.Close()
		err = errors.Join(writeSynced(ctx, root, ".part-check", strings.NewReader("check")), root.Remove(".part-check"))
	}
	if err != nil {
		return classify("check", d.config.Dir, err)
	}
	return nil
}

// write makes name hold all of r, whose sha256 is want, or leaves it as it was.
func (d *Folder) write(ctx context.Context, op, name string, r io.Reader, want [sha256.Size]byte) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	target := filepath.Join(d.config.Dir, filepath.FromSlash(name))
	root, err := d.open()
	if err != nil {
		return classify(op, target, err)
	}
	defer root.Close()
	same, err := holds(ctx, root, name, want)
	if err == nil && !same {
		err = place(ctx, root, name, r, want)
	}
	// The name must reach the disk, whoever made it: up to the root, because
	// an earlier attempt may have made folders and ended before this.
	for dir := path.Dir(name); err == nil; dir = path.Dir(dir) {
		if err = syncDir(root, dir); dir == "." {
			break
		}
	}
	var other *otherBytesError
	switch {
	case errors.As(err, &other) && other.source:
		return damaged(target, want, other.have)
	case errors.As(err, &other):
		return conflict(op, target, fmt.Sprintf("sha256 %x", want), fmt.Sprintf("sha256 %x", other.have))
	case err != nil:
		return classify(op, target, err)
	}
	return nil
}

// An otherBytesError is a sha256 that is not the wanted one.
type otherBytesError struct {
	have   [sha256.Size]byte
	source bool // of what should be written, not of what is there
}

func (e *otherBytesError) Error() string { return fmt.Sprintf("sha256 is %x", e.have) }

// place writes a new file and gives it its name, or leaves nothing. What a
// power cut leaves of it is overwritten by the next attempt.
func place(ctx context.Context, root *os.Root, name string, r io.Reader, want [sha256.Size]byte) (err error) {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	part := path.Join(path.Dir(name), ".part-"+path.Base(name)) // no key gives a name with a dot in front
	defer func() {
		if err != nil {
			_ = root.Remove(part)
		}
	}()
	hash := sha256.New()
	if err := writeSynced(ctx, root, part, io.TeeReader(r, hash)); err != nil {
		return err
	}
	if have := [sha256.Size]byte(hash.Sum(nil)); have != want {
		return &otherBytesError{have, true}
	}
	return root.Rename(part, name)
}

// holds reports whether name is there with these bytes.
func holds(ctx context.Context, root *os.Root, name string, want [sha256.Size]byte) (bool, error) {
	f, err := root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, reader{ctx, f}); err != nil {
		return false, err
	}
	if have := [sha256.Size]byte(hash.Sum(nil)); have != want {
		return false, &otherBytesError{have, false}
	}
	return true, nil
}

// open makes the directory durable if it is missing, and confines us to it.
func (d *Folder) open() (*os.Root, error) {
	var made []string
	for p := filepath.Clean(d.config.Dir); ; p = filepath.Dir(p) {
		if _, err := os.Lstat(p); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		made = append(made, p)
	}
	if err := os.MkdirAll(d.config.Dir, 0o755); err != nil {
		return nil, err
	}
	for _, p := range made {
		parent, err := os.Open(filepath.Dir(p))
		if err != nil {
			return nil, err
		}
		if err := errors.Join(parent.Sync(), parent.Close()); err != nil {
			return nil, err
		}
	}
	return os.OpenRoot(d.config.Dir)
}

// writeSynced makes a file of r and does not return before it is on the disk.
func writeSynced(ctx context.Context, root *os.Root, name string, r io.Reader) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, reader{ctx, r})
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// syncDir makes the names in a directory durable.
func syncDir(root *os.Root, dir string) error {
	f, err := root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// keyPath turns a key into a relative path that stays below its folder.
func keyPath(key string) string {
	parts := strings.Split(key, "/")
	for i, part := range parts {
		parts[i] = fileName(part)
	}
	return strings.Join(parts, "/")
}

// fileName turns any text into one name of a file, different for different
// text. It never starts with a dot and has at most 255 bytes with a suffix.
func fileName(text string) string {
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			strings.IndexByte("-_=+@,", c) >= 0, c == '.' && i > 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	name := b.String()
	if name == "" {
		return "%" // of a//b
	}
	if len(name) > 200 {
		sum := sha256.Sum256([]byte(text))
		return name[:120] + "%" + hex.EncodeToString(sum[:])
	}
	return name
}
