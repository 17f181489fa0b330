package model

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"aead.dev/minisign"
)

// Trust holds the public keys of whoever may release models. Without any,
// packages need no signature.
type Trust struct{ keys []minisign.PublicKey }

// ParseTrust reads public keys in the form of minisign: the line of base64
// that minisign -G prints, or the whole of a .pub file.
func ParseTrust(keys []string) (t Trust, err error) {
	var errs []error
	for i, text := range keys {
		var k minisign.PublicKey
		if err := k.UnmarshalText([]byte(strings.TrimSpace(text))); err != nil {
			errs = append(errs, fmt.Errorf("key %d is not a public key of minisign: %w; copy the line that begins with RW", i+1, err))
		}
		t.keys = append(t.keys, k)
	}
	return t, errors.Join(errs...)
}

// A SignatureError says that nobody who is trusted vouches for a package.
type SignatureError struct{ File, Why string }

func (e *SignatureError) Error() string {
	return fmt.Sprintf("model: %s: %s; have it signed (minisign -S -m model.yaml), or correct model.trusted_keys", e.File, e.Why)
}

// Permanent tells whoever retries not to.
func (e *SignatureError) Permanent() bool { return true }

const signatureName = manifestName + ".minisig"

// verify holds the package in folder dir to its signature, which is one of its
// manifest: the manifest must then vouch for every other file.
func (t Trust) verify(fsys fs.FS, dir string, p *Package) error {
	if len(t.keys) == 0 {
		return nil
	}
	file := path.Join(dir, signatureName)
	signature, err := read(fsys, file, maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return &SignatureError{file, "the package is not signed, and model.trusted_keys asks for it"}
	} else if err != nil {
		return fmt.Errorf("model: %w", err)
	}
	good := false
	for _, k := range t.keys {
		good = good || minisign.Verify(k, p.manifest, signature)
	}
	switch {
	case !good:
		return &SignatureError{file, "no trusted key made this signature of this manifest"}
	case len(p.Files) == 0 && len(p.Proof.Pictures)+len(p.Proof.Tensors)+len(p.Proof.Stills) > 0:
		return &SignatureError{path.Join(dir, manifestName), "the signed manifest does not list the files below vectors with their sha256 (files)"}
	}
	return nil
}
