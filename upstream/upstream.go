// Package upstream hands evidence and records on to where they are kept for
// good: S3 and SQS, or a folder standing where they would.
//
// Every effect has a key, the same on every attempt. Doing one again with the
// same bytes is harmless; with other bytes it is refused. A nil error means
// that the other side has confirmed it, and nothing less. Errors are *Fault
// and say whether a retry can help; nothing in this package retries.
package upstream

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// An Object is bytes to keep under a key.
type Object struct {
	Bucket      string // empty: the configured one
	Key         string // slash-separated, UTF-8, at most 1,024 bytes
	ContentType string // empty: application/octet-stream
	// Body is read from its start, by one goroutine at a time and never after
	// Put has returned. The caller closes it.
	Body     io.ReadSeeker
	Size     int64             // bytes in Body; a Body of another size is refused
	SHA256   string            // of Body, hexadecimal; empty: computed by reading it once more
	Metadata map[string]string // kept by S3, not by a folder

	// Derived names what Body was drawn of, where a newer program may draw
	// other bytes of the same. A key that holds what was drawn of it already is
	// success, whatever its bytes. Empty: only the same bytes are the same.
	Derived string

	// Of S3 only; empty is as S3Config has it.
	Tags         map[string]string // at most 10
	StorageClass string
	Encryption   string // AES256 or aws:kms
	KMSKey       string
}

// A Receipt is the other side's word that it has the object.
type Receipt struct {
	ETag      string `json:"etag,omitempty"`
	VersionID string `json:"versionId,omitempty"`
}

// A Message is one record for whoever listens upstream. Queues deliver at
// least once: receivers tell repeats apart by the attribute "key".
type Message struct {
	Queue      string            // of what knows several: which of them; empty: the configured one
	Body       string            // not empty
	Attributes map[string]string // at most 9; "key" is added
	Group      string            // order is kept within it, on FIFO queues only; empty: Dedup
	Dedup      string            // key of the effect, the same on every attempt; required
}

const (
	maxKey    = 1024    // bytes, https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
	maxObject = 5 << 40 // bytes, of an upload in parts
)

// verify checks o before anything is sent and returns the sha256 of its body.
func (o Object) verify(ctx context.Context, target string) (sum [sha256.Size]byte, err error) {
	refuse := func(code, remedy string, err error) (sum [sha256.Size]byte, _ error) {
		return sum, &Fault{Op: "put", Target: target, Code: code, Remedy: remedy, Err: err, permanent: true}
	}
	switch {
	case o.Key == "" || len(o.Key) > maxKey || !utf8.ValidString(o.Key) || strings.ContainsRune(o.Key, 0):
		return refuse("InvalidKey", "give a key of 1 to 1024 bytes of UTF-8", nil)
	case o.Body == nil:
		return refuse("MissingBody", "give a body, even if it is empty", nil)
	case o.Size > maxObject:
		return refuse("EntityTooLarge", "keep objects below 5 TiB", nil)
	}
	size, err := o.Body.Seek(0, io.SeekEnd)
	if err != nil {
		return refuse("UnreadableBody", "check the disk that holds the evidence", err)
	}
	if size != o.Size {
		return refuse("WrongSize", fmt.Sprintf("the body has %d bytes where %d were promised: check the disk that holds the evidence", size, o.Size), nil)
	}
	if o.SHA256 == "" {
		return o.sum(ctx, target)
	}
	if n, err := hex.Decode(sum[:], []byte(o.SHA256[:min(len(o.SHA256), 2*len(sum))])); err != nil || n != len(sum) || len(o.SHA256) != 2*len(sum) {
		return refuse("InvalidSHA256", "give 64 hexadecimal digits", err)
	}
	return sum, nil
}

// sum reads the whole body.
func (o Object) sum(ctx context.Context, target string) (sum [sha256.Size]byte, err error) {
	hash := sha256.New()
	_, err = o.Body.Seek(0, io.SeekStart)
	if err == nil {
		_, err = io.Copy(hash, reader{ctx, o.Body})
	}
	if err != nil {
		return sum, classify("read", target, cmp.Or(ctx.Err(), err))
	}
	return [sha256.Size]byte(hash.Sum(nil)), nil
}

// damaged is the fault of a body that no longer has the sha256 it was stored with.
func damaged(target string, want, have [sha256.Size]byte) *Fault {
	return &Fault{Op: "put", Target: target, Code: "DamagedBody", permanent: true,
		Remedy: fmt.Sprintf("the evidence has sha256 %x where %x was recorded: check the disk that holds it", have, want)}
}

// conflict is the fault of a key that already holds something else.
func conflict(op, target, want, have string) *Fault {
	return &Fault{Op: op, Target: target, Code: "AlreadyExists", permanent: true,
		Remedy: fmt.Sprintf("it holds other bytes (%s) than these (%s): two appliances share a key, or somebody wrote there; compare them and remove one", have, want)}
}

// verify checks m before anything is sent.
func (m Message) verify(target string) error {
	refuse := func(code, remedy string) error {
		return &Fault{Op: "send", Target: target, Code: code, Remedy: remedy, permanent: true}
	}
	switch {
	case m.Dedup == "":
		return refuse("MissingKey", "give the effect's key as Dedup")
	case m.Body == "":
		return refuse("EmptyMessage", "give the message a body")
	case len(m.attributes()) > maxAttributes:
		return refuse("TooManyAttributes", fmt.Sprintf("a message has at most %d attributes, with the key", maxAttributes))
	}
	return nil
}

// text refuses what a queue would not take as it is, before it can spoil the
// batch that it would go with.
func (m Message) text(target string) error {
	f := &Fault{Op: "send", Target: target, permanent: true}
	if !sendable(m.Body) {
		f.Code, f.Remedy = "InvalidMessageContents", "leave control characters out of the body, and what is not UTF-8"
		return f
	}
	for name, value := range m.attributes() {
		if value == "" || !sendable(value) {
			f.Code, f.Remedy = "InvalidAttributeValue", "give the attribute "+name+" a text without control characters"
			return f
		}
	}
	return nil
}

// sendable reports whether a queue takes the text as it is: UTF-8 of the
// characters of XML 1.0.
func sendable(text string) bool {
	for i := range len(text) { // faster than rune by rune
		if c := text[i]; c < ' ' && c != '\t' && c != '\n' && c != '\r' {
			return false
		}
	}
	return utf8.ValidString(text) && !strings.Contains(text, "\uFFFE") && !strings.Contains(text, "\uFFFF")
}

// tooLong is the fault of a message over the limit.
func (m Message) tooLong(target string, limit int) *Fault {
	return &Fault{Op: "send", Target: target, Code: "MessageTooLong", permanent: true,
		Remedy: fmt.Sprintf("the message has %d bytes of at most %d: send less, or set upstream.kind aws, whose bucket takes what is larger; then redrive", m.size(), limit)}
}

// attributes are those of the message, and its key. Nobody changes them.
func (m Message) attributes() map[string]string {
	if m.Attributes["key"] != "" {
		return m.Attributes
	}
	all := map[string]string{"key": m.Dedup}
	for name, value := range m.Attributes {
		all[name] = value
	}
	return all
}

// stringType is the type of all attributes.
const stringType = "String"

// size is what SQS counts: body, and names, types and values of attributes.
func (m Message) size() int {
	n := len(m.Body)
	for name, value := range m.attributes() {
		n += len(name) + len(stringType) + len(value)
	}
	return n
}

// reader ends reading with the context.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

var errReturned = errors.New("upstream: the call has returned; its body is its owner's again")
