package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"inspector"
	"inspector/camera"
	"inspector/classify"
	"inspector/store"
)

// errNoPicture says that the picture of an inspection is not kept, or not any
// more.
var errNoPicture = errors.New("no picture is kept")

// keptPicture opens the picture of an inspection; the caller closes it.
func keptPicture(ctx context.Context, disk *store.Store, id string) (io.ReadSeekCloser, inspector.Blob, error) {
	blobs, err := disk.EvidenceFor(ctx, id)
	if err != nil {
		return nil, inspector.Blob{}, err
	}
	n := slices.IndexFunc(blobs, func(e inspector.Blob) bool { return e.Kind == "image" })
	if n < 0 {
		return nil, inspector.Blob{}, fmt.Errorf("%w of inspection %s", errNoPicture, id)
	}
	f, err := disk.OpenEvidence(blobs[n].Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, blobs[n], fmt.Errorf("%w of inspection %s any more: %w", errNoPicture, id, err)
	case err != nil:
		return nil, blobs[n], err
	}
	return f, blobs[n], nil
}

// overlay draws the defects of an inspection on its picture, as JPEG. It is
// drawn when it is asked for: the line has no time for it, and picture and
// boxes say all. The same program draws the same bytes; another may not, so
// that of names what it is drawn of.
func overlay(ctx context.Context, disk *store.Store, id string) (drawn []byte, of string, err error) {
	r, err := disk.Inspection(ctx, id)
	if err != nil {
		return nil, "", err
	}
	f, blob, err := keptPicture(ctx, disk, id)
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, "", err
	}
	p, err := camera.Decode(data, maxStill)
	if err != nil {
		return nil, "", &undrawableError{id, err}
	}
	if drawn, err = classify.Overlay(p, r.Defects); err != nil {
		return nil, "", &undrawableError{id, err}
	}
	boxes, err := json.Marshal(r.Defects)
	if err != nil {
		return nil, "", &undrawableError{id, err}
	}
	sum := sha256.Sum256(append([]byte(blob.SHA256), boxes...))
	return drawn, hex.EncodeToString(sum[:]), nil
}

// An undrawableError is a picture that no attempt makes right.
type undrawableError struct {
	id  string
	err error
}

func (e *undrawableError) Error() string {
	return fmt.Sprintf("draw the defects of %s: %v; check the disk that holds its picture", e.id, e.err)
}
func (e *undrawableError) Unwrap() error   { return e.err }
func (e *undrawableError) Permanent() bool { return true }
