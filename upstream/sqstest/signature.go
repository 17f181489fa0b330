package sqstest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var authorization = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8}/[^/]+/sqs/aws4_request), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$`)

// authentic checks the request's signature, version 4.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func (s *Server) authentic(r *http.Request, body []byte) error {
	refuse := func(kind, code, message string) error {
		return &Refusal{http.StatusForbidden, kind, code + ";Sender", message}
	}
	m := authorization.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil {
		return refuse("MissingAuthenticationTokenException", "MissingAuthenticationToken", "Missing Authentication Token")
	}
	keyID, scope, signed, signature := m[1], m[2], m[3], m[4]
	if keyID != s.keyID {
		return refuse("UnrecognizedClientException", "InvalidClientTokenId", "The security token included in the request is invalid.")
	}
	if refusal := s.punctual(r.Header.Get("X-Amz-Date")); refusal != nil {
		return refusal
	}
	request := []string{r.Method, r.URL.EscapedPath(), r.URL.RawQuery}
	for name := range strings.SplitSeq(signed, ";") {
		value := strings.Join(r.Header.Values(name), ",")
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = strconv.FormatInt(r.ContentLength, 10)
		}
		request = append(request, name+":"+strings.TrimSpace(value))
	}
	request = append(request, "", signed, hexSum(body))
	toSign := strings.Join([]string{"AWS4-HMAC-SHA256", r.Header.Get("X-Amz-Date"), scope, hexSum([]byte(strings.Join(request, "\n")))}, "\n")
	key := []byte("AWS4" + s.secret)
	for part := range strings.SplitSeq(scope, "/") {
		key = sign(key, part)
	}
	if !hmac.Equal([]byte(hex.EncodeToString(sign(key, toSign))), []byte(signature)) {
		return refuse("InvalidSignatureException", "SignatureDoesNotMatch",
			"The request signature we calculated does not match the signature you provided. The Canonical String for this request should have been\n'"+
				strings.Join(request, "\n")+"'")
	}
	return nil
}

// punctual refuses a time that is not about that of the service. The caller
// holds the lock.
func (s *Server) punctual(date string) error {
	const form, tolerance = "20060102T150405Z", 15 * time.Minute
	at, err := time.Parse(form, date)
	now := time.Now().Add(s.ahead).UTC()
	words := ""
	switch {
	case err != nil:
		return &Refusal{http.StatusForbidden, "IncompleteSignatureException", "IncompleteSignature;Sender", "Date must be in ISO-8601 'basic format'."}
	case at.Before(now.Add(-tolerance)):
		words = fmt.Sprintf("Signature expired: %s is now earlier than %s (%s - 15 min.)", date, now.Add(-tolerance).Format(form), now.Format(form))
	case at.After(now.Add(tolerance)):
		words = fmt.Sprintf("Signature not yet current: %s is still later than %s (%s + 15 min.)", date, now.Add(tolerance).Format(form), now.Format(form))
	default:
		return nil
	}
	return &Refusal{http.StatusForbidden, "InvalidSignatureException", "SignatureDoesNotMatch;Sender", words}
}

func sign(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func hexSum(p []byte) string {
	sum := sha256.Sum256(p)
	return hex.EncodeToString(sum[:])
}
