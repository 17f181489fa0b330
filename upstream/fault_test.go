package upstream

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// answer is what the SDK makes of a service's refusal.
func answer(status int, code, message string) error {
	return &smithy.OperationError{ServiceID: "S3", OperationName: "PutObject", Err: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status, Header: http.Header{}}},
		Err:      &smithy.GenericAPIError{Code: code, Message: message}}}
}

func dial(err error) error {
	return &url.Error{Op: "Put", URL: "http://h/b/k", Err: &net.OpError{Op: "dial", Net: "tcp", Err: err}}
}

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		err       error
		code      string
		permanent bool
		remedy    string // part of it
	}{
		{answer(404, "NoSuchBucket", "The specified bucket does not exist"), "NoSuchBucket", true, "bucket"},
		{answer(301, "PermanentRedirect", ""), "PermanentRedirect", true, "region"},
		{answer(400, "AuthorizationHeaderMalformed", "the region 'us-east-1' is wrong"), "AuthorizationHeaderMalformed", true, "region"},
		{answer(307, "TemporaryRedirect", ""), "TemporaryRedirect", false, ""},
		{answer(403, "AccessDenied", "Access Denied"), "AccessDenied", true, "s3:PutObject"},
		{answer(403, "SignatureDoesNotMatch", ""), "SignatureDoesNotMatch", true, "secret"},
		{answer(403, "InvalidAccessKeyId", ""), "InvalidAccessKeyId", true, "access key ID"},
		{answer(404, "XAdminUserNotFound", ""), "XAdminUserNotFound", true, "access key ID"},
		{answer(400, "ExpiredToken", ""), "ExpiredToken", true, "renew"},
		{answer(403, "RequestTimeTooSkewed", ""), "RequestTimeTooSkewed", false, "clock"},
		{answer(403, "SignatureDoesNotMatch", "Signature expired: 1970"), "SignatureDoesNotMatch", false, "clock"},
		{answer(403, "InvalidSignatureException", "Signature not yet current"), "InvalidSignatureException", false, "clock"},
		{answer(400, "EntityTooLarge", ""), "EntityTooLarge", true, "smaller"},
		{answer(400, "InvalidMessageContents", ""), "InvalidMessageContents", true, ""},
		{answer(400, "AWS.SimpleQueueService.NonExistentQueue", ""), "AWS.SimpleQueueService.NonExistentQueue", true, "queue"},
		{answer(400, "QueueDoesNotExist", ""), "QueueDoesNotExist", true, "queue"},
		{answer(400, "KmsAccessDenied", ""), "KmsAccessDenied", true, "encryption key"},
		{answer(400, "KmsThrottled", ""), "KmsThrottled", false, "pause"},
		{answer(400, "RequestThrottled", ""), "RequestThrottled", false, "pause"},
		{answer(400, "ThrottlingException", ""), "ThrottlingException", false, "pause"},
		{answer(503, "SlowDown", ""), "SlowDown", false, "pause"},
		{answer(500, "InternalError", ""), "InternalError", false, ""},
		{answer(400, "RequestTimeout", ""), "RequestTimeout", false, ""},
		{answer(400, "BadDigest", ""), "BadDigest", false, "network"},
		{answer(409, "OperationAborted", ""), "OperationAborted", false, ""},
		{answer(501, "NotImplemented", ""), "NotImplemented", true, "newer"},
		{answer(403, "Forbidden", "Forbidden"), "Forbidden", false, "proxy"},
		{answer(418, "Novel", ""), "Novel", true, "documentation"},
		{answer(429, "Novel", ""), "Novel", false, ""},
		{answer(507, "Novel", ""), "Novel", false, ""},
		{answer(0, "Novel", ""), "Novel", false, ""},
		{&smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusBadGateway}}, Err: errors.New("html")}, "HTTP502", false, "proxy"},
		{&smithy.DeserializationError{Err: errors.New("html")}, "GarbledAnswer", false, "proxy"},
		{credentialError{errors.New("process said " + secret)}, "NoCredentials", true, "AWS_ACCESS_KEY_ID"},
		{credentialError{dial(syscall.ECONNREFUSED)}, "NoCredentials", false, "AWS_ACCESS_KEY_ID"},
		{credentialError{answer(403, "ExpiredToken", "")}, "ExpiredToken", true, "renew"},
		{credentialError{answer(503, "", secret)}, "NoCredentials", false, "AWS_PROFILE"},
		{credentialError{answer(403, "", secret)}, "NoCredentials", true, "AWS_PROFILE"},
		{credentialError{answer(403, "AccessDenied", secret)}, "NoCredentials", true, "AWS_PROFILE"},
		{credentialError{answer(400, "ThrottlingException", secret)}, "ThrottlingException", false, "pause"},
		{answer(404, "NoSuchUpload", ""), "NoSuchUpload", false, "sent again"},
		{dial(syscall.ECONNREFUSED), "ConnectionRefused", false, "endpoint"},
		{dial(syscall.ENETUNREACH), "ConnectionLost", false, "network"},
		{dial(&net.DNSError{Err: "no such host", Name: "h", IsNotFound: true}), "UnknownHost", false, "name server"},
		{&url.Error{Err: x509.UnknownAuthorityError{}}, "UntrustedServer", false, "AWS_CA_BUNDLE"},
		{dial(syscall.ETIMEDOUT), "Timeout", false, "network"},
		{fmt.Errorf("w: %w", context.DeadlineExceeded), "Timeout", false, "network"},
		{fmt.Errorf("w: %w", context.Canceled), "Canceled", false, ""},
		{&fs.PathError{Op: "write", Path: "p", Err: syscall.ENOSPC}, "DiskFull", false, "free"},
		{&fs.PathError{Op: "write", Path: "p", Err: syscall.EDQUOT}, "QuotaExceeded", false, "quota"},
		{&fs.PathError{Op: "open", Path: "p", Err: syscall.EROFS}, "ReadOnly", true, "writable"},
		{&fs.PathError{Op: "open", Path: "p", Err: syscall.EACCES}, "PermissionDenied", true, "user"},
		{&fs.PathError{Op: "read", Path: "p", Err: syscall.EIO}, "Disk", false, "dmesg"},
		{dial(&fs.PathError{Op: "read", Path: "p", Err: syscall.EIO}), "Disk", false, "dmesg"}, // of a body
		{errors.New("novel"), "ConnectionLost", false, ""},
	} {
		f := want(t, classify("put", "s3://b/k", c.err), c.code, c.permanent)
		if !strings.Contains(f.Remedy, c.remedy) {
			t.Errorf("%v: the remedy %q does not speak of %q", c.err, f.Remedy, c.remedy)
		}
		if !errors.Is(f, c.err) {
			t.Errorf("%v hides its cause", f)
		}
		if again := classify("send", "other", fmt.Errorf("again: %w", f)); again != f {
			t.Errorf("classified twice, %v becomes %v", f, again)
		}
	}
}

// Answers to HEAD have no body, so their codes come from the status.
func TestClassifyHead(t *testing.T) {
	for code, status := range map[string]int{"Forbidden": 403, "NotFound": 404, "BadRequest": 400, "MovedPermanently": 301} {
		want(t, classify("check", "s3://b", answer(status, code, "")), code, true)
	}
	moved := answer(301, "MovedPermanently", "")
	var r *smithyhttp.ResponseError
	errors.As(moved, &r)
	r.Response.Header.Set("X-Amz-Bucket-Region", "eu-central-1")
	if f := classify("check", "s3://b", moved); !strings.Contains(f.Error(), "eu-central-1") {
		t.Errorf("%v does not name the region", f)
	}
}

// What a server quotes of the signed request stays out of the text.
func TestFaultTellsNoSecret(t *testing.T) {
	for _, message := range []string{
		"The Canonical String for this request should have been x-amz-security-token:" + secret,
		"bad Authorization: AWS4-HMAC-SHA256 Credential=a, Signature=" + secret,
	} {
		f := want(t, classify("put", "s3://b/k", answer(403, "SignatureDoesNotMatch", message)), "SignatureDoesNotMatch", true)
		for _, format := range []string{"%v", "%s", "%q"} {
			if text := fmt.Sprintf(format, f); strings.Contains(text, secret) {
				t.Errorf("%s prints %s", format, text)
			}
		}
	}
	want(t, classify("put", "s3://b/k", answer(400, "Novel", "a plain reason")), "Novel", true)
	if text := classify("put", "s3://b/k", answer(400, "Novel", "a plain reason")).Error(); !strings.Contains(text, "a plain reason") {
		t.Errorf("%s hides the reason", text)
	}
}
