package upstream

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// ofCredentials rules on credentials that could not be had. What their source
// said is not shown: it may be about them.
func (f *Fault) ofCredentials(err error) {
	var api smithy.APIError
	f.access = true
	if errors.As(err, &api) {
		f.Code = api.ErrorCode()
		if !strings.HasPrefix(f.Code, "AccessDenied") && (f.ofService() || f.ofAccess()) {
			return
		}
	}
	status := httpStatus(err)
	f.Code, f.permanent = "NoCredentials", !isNetwork(err) && status < 500 && status != http.StatusTooManyRequests
	f.Remedy = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write ~/.aws/credentials and set AWS_PROFILE, or mend what they come from (docs/delivery.md); then redrive"
}

var expectedRegion = regexp.MustCompile(`expecting '([a-z0-9-]{1,40})'`)

// bucketRegion is where the service says that the bucket is, if it does: in a
// header, or in the words of a refusal that is not shown whole.
func bucketRegion(r *smithyhttp.ResponseError, message string) string {
	if m := expectedRegion.FindStringSubmatch(message); m != nil {
		return m[1]
	}
	if r == nil || r.Response == nil || r.Response.Response == nil {
		return ""
	}
	return r.Response.Header.Get("X-Amz-Bucket-Region")
}

// skewed is how far two clocks may be apart before S3 refuses a signature.
const skewed = 15 * time.Minute

// byClock names both clocks where a refusal is about them, and finds that it is
// where an answer to HEAD, which has no words, is a bare no.
func (f *Fault) byClock(r *smithyhttp.ResponseError) {
	ours, theirs, ok := clocks(r)
	if !ok {
		return
	}
	apart := ours.Sub(theirs).Abs()
	if bare := f.Code == "Forbidden" || f.Code == "BadRequest"; bare && f.Op == "check" && apart >= skewed {
		f.Code, f.Remedy, f.permanent, f.access = "RequestTimeTooSkewed", clockRemedy, false, false
	}
	if f.Remedy == clockRemedy {
		f.detail = fmt.Sprintf("this machine says %s, the server %s: %v apart", ours.Format(time.RFC3339), theirs.Format(time.RFC3339), apart)
	}
}

// clocks are when the request was signed by our clock and answered by theirs.
func clocks(r *smithyhttp.ResponseError) (ours, theirs time.Time, ok bool) {
	if r == nil || r.Response == nil || r.Response.Response == nil || r.Response.Request == nil {
		return ours, theirs, false
	}
	ours, err := time.Parse("20060102T150405Z", r.Response.Request.Header.Get("X-Amz-Date"))
	if err != nil {
		return ours, theirs, false
	}
	theirs, err = http.ParseTime(strings.TrimSpace(r.Response.Header.Get("Date")))
	return ours, theirs.UTC(), err == nil
}
