package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"inspector/certificate"
)

// A Fault is an effect that did not happen, or that nobody confirmed. Its text
// never has a secret, a signature or what a server said about them.
type Fault struct {
	Op     string // put, send, get, list, check, read
	Target string // s3://BUCKET/KEY, the queue's URL, or a path
	Code   string // the server's word for it, or ours
	Remedy string // what a person can do
	Err    error  // cause; its own text may hold what Error hides

	detail    string
	permanent bool
	access    bool // about credentials: read them anew before the next attempt
}

// Error says what was attempted, on what, why it failed and what to do.
func (f *Fault) Error() string {
	text := f.Op + " " + f.Target + ": " + f.Code
	if f.detail != "" {
		text += " (" + f.detail + ")"
	}
	return text + "; " + f.Remedy
}

// Unwrap gives the cause.
func (f *Fault) Unwrap() error { return f.Err }

// Permanent reports that no retry can help: a person must act.
func (f *Fault) Permanent() bool { return f.permanent }

// A credentialError is a failure to find or refresh credentials.
type credentialError struct{ error }

func (e credentialError) Unwrap() error { return e.error }

// classify decides who must act on err: by default the engine, by trying
// again. It is pure, and gives the same for the same err.
func classify(op, target string, err error) *Fault {
	var (
		fault    *Fault
		api      smithy.APIError
		response *smithyhttp.ResponseError
		lost     credentialError
		path     *fs.PathError
		errno    syscall.Errno
	)
	f := &Fault{Op: op, Target: target, Err: err}
	switch {
	case errors.As(err, &fault):
		return fault
	case errors.Is(err, context.Canceled):
		f.Code, f.Remedy = "Canceled", "it will be repeated"
	case errors.Is(err, context.DeadlineExceeded):
		f.Code, f.Remedy = "Timeout", "check the network and the server; it will be repeated"
	case errors.As(err, &lost):
		f.ofCredentials(err)
	case errors.As(err, &api):
		status := httpStatus(err)
		f.answered(api, status)
		errors.As(err, &response)
		if region := bucketRegion(response, api.ErrorMessage()); region != "" && status >= 300 && status <= 400 {
			f.Remedy += " (the server names " + region + ")"
		}
		f.byClock(response)
	case httpStatus(err) > 0 && !errors.As(err, new(*smithy.DeserializationError)):
		f.Code = fmt.Sprintf("HTTP%d", httpStatus(err))
		f.Remedy = "something that is not the service answered: check the endpoint and any proxy or login page in between"
	case errors.As(err, new(*smithy.DeserializationError)):
		f.Code = "GarbledAnswer"
		f.Remedy = "something that is not the service answered: check the endpoint and any proxy or login page in between"
	case errors.As(err, &path), errors.As(err, &errno) && !isNetwork(err):
		f.onDisk(err)
	default:
		f.onNetwork(err)
	}
	return f
}

// answered rules on a refusal by the service.
func (f *Fault) answered(api smithy.APIError, status int) {
	f.Code = api.ErrorCode()
	message := api.ErrorMessage()
	// Some services quote the signed request, tokens included, when they
	// refuse a signature: such words are not for logs.
	if low := strings.ToLower(message); !strings.Contains(low, "signature") && !strings.Contains(low, "token") &&
		!strings.Contains(low, "credential") && !strings.Contains(low, "canonical") && !strings.Contains(low, "authorization") {
		f.detail = strings.ToValidUTF8(message[:min(len(message), 200)], "")
	}
	if strings.Contains(message, "Signature expired") || strings.Contains(message, "Signature not yet current") {
		f.Remedy = clockRemedy
		return
	}
	if f.ofService() || f.ofAccess() || f.ofPlace() || f.ofContent() {
		return
	}
	f.permanent = status >= 400 && status < 500 && status != http.StatusRequestTimeout && status != http.StatusConflict && status != http.StatusTooManyRequests
	f.Remedy = "it will be repeated"
	if f.permanent {
		f.Remedy = "look the code up in the service's documentation, correct what it names, then redrive"
	}
}

const clockRemedy = "set the clock of this machine (timedatectl set-ntp true); it will be repeated"

// ofService rules on what passes by itself.
func (f *Fault) ofService() bool {
	if _, ok := retry.DefaultThrottleErrorCodes[f.Code]; ok {
		f.Remedy = "the service asks for a pause; it will be repeated"
		return true
	}
	switch f.Code {
	case "RequestTimeTooSkewed", "RequestExpired":
		f.Remedy = clockRemedy
	case "OverLimit", "KmsThrottled", "KMS.ThrottlingException", "TooManyRequests":
		f.Remedy = "the service asks for a pause; it will be repeated"
	case "BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch", "IncompleteBody", "RequestTimeout":
		f.Remedy = "the bytes did not arrive as they were sent: check the network; it will be repeated"
	case "NoSuchUpload", "InvalidPart", "InvalidPartOrder":
		f.Remedy = "the parts are gone (a lifecycle rule, or somebody's hand); they will be sent again"
	case "OperationAborted", "ConditionalRequestConflict", "InternalError", "ServiceUnavailable", "ServiceFailure", "TemporaryRedirect":
		f.Remedy = "it will be repeated"
	case "Forbidden", "NotFound", "BadRequest":
		// The SDK makes these from the bare status. Only answers to HEAD have no
		// body, so anybody else's come from a proxy in between.
		if f.Op == "check" {
			return false
		}
		f.Remedy = "something that is not the service answered: check the endpoint and any proxy or login page in between"
	default:
		return false
	}
	return true
}

// ofAccess rules on who we are and what we may.
func (f *Fault) ofAccess() bool {
	switch f.Code {
	case "AccessDenied", "AccessDeniedException", "Forbidden", "AllAccessDisabled", "AccountProblem":
		f.Remedy = "allow these credentials s3:PutObject, s3:GetObject and s3:ListBucket on the bucket, sqs:SendMessage and sqs:GetQueueAttributes on the queue; then redrive"
	case "KmsAccessDenied", "KmsDisabled", "KmsInvalidState", "KmsInvalidKeyUsage", "KmsNotFound", "KmsOptInRequired",
		"KMS.AccessDeniedException", "KMS.DisabledException", "KMS.NotFoundException", "KMS.KMSInvalidStateException":
		f.Remedy = "enable the encryption key of the bucket or queue and let these credentials use it; then redrive"
	case "SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature", "IncompleteSignatureException", "InvalidSecurity":
		f.Remedy = "correct the secret access key; then redrive"
	case "InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException", "MissingAuthenticationToken", "NotSignedUp", "XAdminUserNotFound":
		f.Remedy = "correct the access key ID, or create it; then redrive"
	case "ExpiredToken", "ExpiredTokenException", "InvalidToken", "TokenRefreshRequired":
		f.Remedy = "the session has ended: renew the credentials; then redrive"
	default:
		return false
	}
	f.permanent, f.access = true, true
	return true
}

// ofPlace rules on where it should go.
func (f *Fault) ofPlace() bool {
	switch f.Code {
	case "NoSuchKey":
		f.Remedy = noSuchKey
	case "NoSuchBucket", "NotFound", "InvalidBucketName":
		f.Remedy = "create the bucket, or correct its name; then redrive"
	case "PermanentRedirect", "MovedPermanently", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "WrongRegion":
		f.Remedy = "set the region of the bucket; then redrive"
	case "BadRequest":
		f.Remedy = "check region, path_style and credentials; then redrive"
	case "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", "QueueDeletedRecently", "InvalidAddress":
		f.Remedy = "create the queue, or correct its URL and region; then redrive"
	case "NotImplemented", "MethodNotAllowed", "UnsupportedOperation":
		f.Remedy = "the server lacks what is needed (If-None-Match, SHA-256 checksums): take a newer one, or check the endpoint; then redrive"
	default:
		return false
	}
	f.permanent = true
	return true
}

// ofContent rules on what was sent.
func (f *Fault) ofContent() bool {
	switch f.Code {
	case "EntityTooLarge", "MessageTooLong", "BatchRequestTooLong", "MaxMessageLengthExceeded":
		f.Remedy = "make it smaller, or raise the limit of the server or queue; then redrive"
	case "InvalidMessageContents", "InvalidParameterValue", "InvalidAttributeValue", "MissingParameter", "InvalidDigest",
		"KeyTooLongError", "MetadataTooLarge", "InvalidArgument", "InvalidRequest", "MalformedXML":
		f.Remedy = "correct what it names in the workflow's state; then redrive"
	default:
		return false
	}
	f.permanent = true
	return true
}

// onDisk rules on the file system's refusals.
func (f *Fault) onDisk(err error) {
	f.Code, f.Remedy, f.detail = "Disk", "check the disk (dmesg); it will be repeated", err.Error()
	for _, rule := range []struct {
		is           error
		code, remedy string
		permanent    bool
	}{
		{syscall.ENOSPC, "DiskFull", "free space there; it will be repeated", false},
		{syscall.EDQUOT, "QuotaExceeded", "free space there, or raise the quota; it will be repeated", false},
		{syscall.EROFS, "ReadOnly", "mount it writable; then redrive", true},
		{fs.ErrPermission, "PermissionDenied", "let the user of this program write there; then redrive", true},
		{syscall.ENOTDIR, "NotAFolder", "a file stands where a folder must be: move it away; then redrive", true},
		{syscall.EISDIR, "NotAFile", "a folder stands where a file must be: one key is the beginning of another", true},
		{syscall.EFBIG, "EntityTooLarge", "the file system cannot hold so large a file", true},
	} {
		if errors.Is(err, rule.is) {
			f.Code, f.Remedy, f.permanent = rule.code, rule.remedy, rule.permanent
			return
		}
	}
}

// onNetwork rules on silence and broken lines; they may always pass.
func (f *Fault) onNetwork(err error) {
	var (
		dns       *net.DNSError
		address   *url.Error
		authority x509.UnknownAuthorityError
		trust     *tls.CertificateVerificationError
		timeout   net.Error
	)
	f.detail = err.Error()
	if errors.As(err, &address) {
		f.detail = address.Err.Error()
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		f.Code, f.Remedy = "ConnectionRefused", "start the server, or correct the endpoint; it will be repeated"
	case errors.As(err, &dns):
		f.Code, f.Remedy = "UnknownHost", "check the network, the name server and the endpoint; it will be repeated"
	case errors.As(err, &authority), errors.As(err, &trust):
		f.Code, f.Remedy = "UntrustedServer", "check the clock, and name the authority's file in AWS_CA_BUNDLE; it will be repeated"
		if bad := certificate.Explain(err, time.Now(), certificate.Files{}); bad != nil {
			f.detail = bad.Reason
			if !errors.As(err, &authority) {
				f.Remedy = bad.Remedy + "; it will be repeated"
			}
		}
	case errors.As(err, &timeout) && timeout.Timeout():
		f.Code, f.Remedy = "Timeout", "check the network and the server; it will be repeated"
	default:
		f.Code, f.Remedy = "ConnectionLost", "check the network; it will be repeated"
	}
}

// isNetwork reports that err came from a connection rather than a file.
func isNetwork(err error) bool {
	var (
		op  *net.OpError
		dns *net.DNSError
		uri *url.Error
	)
	return errors.As(err, &op) || errors.As(err, &dns) || errors.As(err, &uri)
}
