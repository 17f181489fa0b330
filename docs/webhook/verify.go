// Package webhook is what a receiver of the inspector's messages does: sample
// code to copy. docs/delivery.md speaks of it, and the tests receive with it.
package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Verify gives the body of a request that was signed with the secret within the
// last five minutes, and an error for any other.
func Verify(r *http.Request, secret []byte, now time.Time) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	id, at := r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
		return nil, errors.New("the request is old, or a clock is wrong")
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(id + "." + at + "."))
	mac.Write(body)
	want := mac.Sum(nil)
	for signature := range strings.FieldsSeq(r.Header.Get("webhook-signature")) {
		text, ok := strings.CutPrefix(signature, "v1,")
		have, err := base64.StdEncoding.DecodeString(text)
		if ok && err == nil && hmac.Equal(have, want) {
			return body, nil
		}
	}
	return nil, errors.New("the signature is not ours")
}
