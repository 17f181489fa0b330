package upstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"golang.org/x/time/rate"
)

// S3Config says which bucket, and how objects are sent and kept there.
// Credentials come from the SDK's chain: the environment, the files below
// ~/.aws and the program they name, a token file, or a container's address.
type S3Config struct {
	Bucket       string
	Region       string // empty: AWS_REGION or the profile's
	Endpoint     string // of an S3 that is not Amazon's, such as http://HOST:PORT; empty: Amazon's
	PathStyle    bool   // true: http://HOST/BUCKET/KEY instead of http://BUCKET.HOST/KEY
	InstanceRole bool   // also ask the metadata service of an EC2 machine for credentials

	Multipart int64 // bytes: a larger object goes in parts of this size; 0: 16 MiB; S3 takes none below 5 MiB
	Bandwidth int64 // bytes/s of all uploads together, at least MinBandwidth; 0: no cap
	Parallel  int   // uploads that share Bandwidth at once; 0: 8

	// Of every object that does not say otherwise. Empty: as the bucket has it.
	StorageClass string
	Encryption   string // AES256 or aws:kms
	KMSKey       string // ID or ARN of the key of aws:kms; empty: the bucket's, or Amazon's for S3
}

// The least that S3Config takes.
const (
	MinPart      = 5 << 20  // bytes of the smallest part but the last, as S3 demands
	MinBandwidth = 64 << 10 // bytes/s
)

// Encryptions are what S3 does on its side; none leaves it to the bucket.
var Encryptions = []string{"none", "AES256", "aws:kms"}

// silence is how long an upload may stand still before it is given up.
const silence = 30 * time.Second

// S3 keeps objects in a bucket. Its methods may be called from any goroutine
// at the same time.
type S3 struct {
	config  S3Config
	account account
	pace    *rate.Limiter // of bytes sent; nil: none
	silence time.Duration

	mu   sync.Mutex
	made *s3.Client // of the account's configuration of
	of   *aws.Config
}

// NewS3 checks the configuration. It reads no credentials and opens nothing.
func NewS3(c S3Config) (*S3, error) {
	if c.Bucket == "" {
		return nil, errors.New("upstream: S3 needs the name of a bucket")
	}
	if c.Endpoint != "" {
		if err := checkEndpoint(c.Endpoint); err != nil {
			return nil, err
		}
	}
	if c.Multipart == 0 {
		c.Multipart = 16 << 20
	}
	if c.Parallel == 0 {
		c.Parallel = 8
	}
	switch {
	case c.Multipart < MinPart || c.Multipart > maxPart:
		return nil, fmt.Errorf("upstream: parts of %d bytes; S3 takes %d to %d", c.Multipart, MinPart, maxPart)
	case c.Bandwidth != 0 && c.Bandwidth < MinBandwidth:
		return nil, fmt.Errorf("upstream: a bandwidth of %d bytes/s; want 0 for no cap, or at least %d", c.Bandwidth, MinBandwidth)
	case c.Parallel < 0:
		return nil, fmt.Errorf("upstream: %d uploads at once; want at least 1", c.Parallel)
	}
	if err := checkEncryption(c.Encryption, c.KMSKey); err != nil {
		return nil, err
	}
	s := &S3{config: c, account: account{region: c.Region, instanceRole: c.InstanceRole}, silence: silence}
	if c.Bandwidth > 0 {
		s.pace = rate.NewLimiter(rate.Limit(c.Bandwidth), 2*sip)
	}
	return s, nil
}

func checkEncryption(how, key string) error {
	switch {
	case how != "" && how != "AES256" && how != "aws:kms":
		return fmt.Errorf("upstream: encryption %q; want AES256 or aws:kms", how)
	case key != "" && how != "aws:kms":
		return errors.New("upstream: a KMS key needs the encryption aws:kms")
	}
	return nil
}

// Close drops idle connections; calls under way are not disturbed.
func (s *S3) Close() { s.account.close() }

// Check asks whether the bucket is there and these credentials may see it. It
// takes at most 10 s. Errors are *Fault.
func (s *S3) Check(ctx context.Context) error {
	target := "s3://" + s.config.Bucket
	client, err := s.client(ctx)
	if err != nil {
		return s.account.fault("check", target, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	answer, err := client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.config.Bucket})
	if err != nil {
		f := s.account.fault("check", target, err)
		return s.inWords(ctx, client, f)
	}
	if r, ok := awsmiddleware.GetRawResponse(answer.ResultMetadata).(*smithyhttp.Response); ok && strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
		return stranger("check", target, "HTMLPage")
	}
	return nil
}

// inWords is f, of an answer to HEAD, which is a bare status, as the server puts
// it in an answer that has words.
func (s *S3) inWords(ctx context.Context, client *s3.Client, f *Fault) error {
	if !slices.Contains([]string{"Forbidden", "BadRequest", "MovedPermanently"}, f.Code) {
		return f
	}
	_, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &s.config.Bucket, MaxKeys: aws.Int32(1)})
	var api smithy.APIError
	if !errors.As(err, &api) {
		return f
	}
	return s.account.fault("check", f.Target, err)
}

// stranger is the fault of an answer that no S3 gives.
func stranger(op, target, code string) *Fault {
	return &Fault{Op: op, Target: target, Code: code,
		Remedy: "something that is not S3 said yes: check the endpoint and any proxy or login page in between"}
}

func (s *S3) bucket(o Object) string {
	if o.Bucket != "" {
		return o.Bucket
	}
	return s.config.Bucket
}

// client gives a client that tries once: the engine that drives us retries. It
// is made anew when the credentials are, and else kept, for it learns by how
// much the server's clock is ahead.
func (s *S3) client(ctx context.Context) (*s3.Client, error) {
	c, err := s.account.current(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of != c {
		s.of, s.made = c, s3.NewFromConfig(*c, func(o *s3.Options) {
			o.UsePathStyle = s.config.PathStyle
			o.Retryer = aws.NopRetryer{}
			if s.config.Endpoint != "" {
				o.BaseEndpoint = &s.config.Endpoint
			}
		})
	}
	return s.made, nil
}

// httpStatus is the status of the answer that err stands for, 0 without one.
func httpStatus(err error) int {
	var r *smithyhttp.ResponseError
	if errors.As(err, &r) && r.Response != nil {
		return r.HTTPStatusCode()
	}
	return 0
}
