package sqstest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"regexp"
	"strconv"
	"strings"
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

func sign(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func hexSum(p []byte) string {
	sum := sha256.Sum256(p)
	return hex.EncodeToString(sum[:])
}
