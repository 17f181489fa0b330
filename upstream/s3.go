package upstream

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// S3Config says which bucket. Credentials come from the SDK's default chain:
// the environment, or the files below ~/.aws.
type S3Config struct {
	Bucket       string
	Region       string // empty: AWS_REGION or the profile's
	Endpoint     string // of an S3 that is not Amazon's, such as http://HOST:PORT; empty: Amazon's
	PathStyle    bool   // true: http://HOST/BUCKET/KEY instead of http://BUCKET.HOST/KEY
	InstanceRole bool   // also ask the metadata service of an EC2 machine for credentials
}

// S3 keeps objects in a bucket. Its methods may be called from any goroutine
// at the same time.
type S3 struct {
	config  S3Config
	account account
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
	return &S3{config: c, account: account{region: c.Region, instanceRole: c.InstanceRole}}, nil
}

// Close drops idle connections; calls under way are not disturbed.
func (s *S3) Close() { s.account.close() }

// Put keeps o unless its key is taken. If the key holds the same bytes
// already, that is success, with the receipt of what is there. The server
// verifies the SHA-256. An attempt ends after 15 s and what the body needs at
// 64 KiB/s. Errors are *Fault.
func (s *S3) Put(ctx context.Context, o Object) (Receipt, error) {
	bucket := s.bucket(o)
	target := "s3://" + bucket + "/" + o.Key
	sum, err := o.verify(ctx, target)
	if err != nil {
		return Receipt{}, err
	}
	client, err := s.client(ctx)
	if err != nil {
		return Receipt{}, s.account.fault("put", target, err)
	}
	attempt, cancel := context.WithTimeout(ctx, 15*time.Second+time.Duration(o.Size)*time.Second/(64<<10))
	defer cancel()
	answer, err := send(attempt, client, bucket, o, sum)
	switch {
	case err != nil:
		return s.failed(attempt, client, bucket, o, sum, err)
	case aws.ToString(answer.ETag) == "":
		return Receipt{}, &Fault{Op: "put", Target: target, Code: "NoETag",
			Remedy: "something that is not S3 said yes: check the endpoint and any proxy or login page in between"}
	}
	return Receipt{ETag: aws.ToString(answer.ETag), VersionID: aws.ToString(answer.VersionId)}, nil
}

// failed finds out what an attempt that ended with err has left.
func (s *S3) failed(ctx context.Context, client *s3.Client, bucket string, o Object, sum [sha256.Size]byte, err error) (Receipt, error) {
	target := "s3://" + bucket + "/" + o.Key
	if httpStatus(err) == http.StatusPreconditionFailed {
		return s.compare(ctx, client, bucket, o, sum)
	}
	f := s.account.fault("put", target, err)
	switch {
	case f.Code == "ConnectionLost":
		// Perhaps the answer was lost: a server that refuses a large body
		// early, because its key is taken, may hang up before we read that.
		receipt, err := s.compare(ctx, client, bucket, o, sum)
		var c *Fault
		if err == nil || errors.As(err, &c) && c.Code == "AlreadyExists" {
			return receipt, err
		}
	case httpStatus(err) == http.StatusBadRequest:
		if have, err := o.sum(ctx, target); err == nil && have != sum {
			return Receipt{}, damaged(target, sum, have)
		}
	}
	return Receipt{}, f
}

// send makes one attempt. The body is not read after it has returned.
func send(ctx context.Context, client *s3.Client, bucket string, o Object, sum [sha256.Size]byte) (*s3.PutObjectOutput, error) {
	if _, err := o.Body.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	body := &lent{r: o.Body}
	defer body.giveBack()
	metadata := map[string]string{"sha256": hex.EncodeToString(sum[:])}
	for name, value := range o.Metadata {
		metadata[name] = mime.QEncoding.Encode("utf-8", value) // headers are ASCII
	}
	contentType := o.ContentType
	if contentType == "" {
		contentType = "application/octet-stream"
	}
	return client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &bucket, Key: &o.Key, Body: body, ContentLength: &o.Size, ContentType: &contentType,
		ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(sum[:])),
		IfNoneMatch:    aws.String("*"), Metadata: metadata,
	})
}

// compare finds out what the taken key holds.
func (s *S3) compare(ctx context.Context, client *s3.Client, bucket string, o Object, sum [sha256.Size]byte) (Receipt, error) {
	target := "s3://" + bucket + "/" + o.Key
	head, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &o.Key, ChecksumMode: types.ChecksumModeEnabled})
	if httpStatus(err) == http.StatusNotFound {
		return Receipt{}, &Fault{Op: "put", Target: target, Code: "Vanished", Err: err,
			Remedy: "the object was deleted in between; it will be repeated"}
	}
	if err != nil {
		return Receipt{}, s.account.fault("check", target, err)
	}
	have := "metadata without sha256"
	if raw, err := base64.StdEncoding.DecodeString(aws.ToString(head.ChecksumSHA256)); err == nil && len(raw) == len(sum) {
		have = "sha256 " + hex.EncodeToString(raw)
	} else if text := head.Metadata["sha256"]; text != "" {
		have = "sha256 " + strings.ToLower(text)
	}
	want := "sha256 " + hex.EncodeToString(sum[:])
	if have != want || aws.ToInt64(head.ContentLength) != o.Size {
		return Receipt{}, conflict("put", target, fmt.Sprintf("%s, %d bytes", want, o.Size),
			fmt.Sprintf("%s, %d bytes", have, aws.ToInt64(head.ContentLength)))
	}
	return Receipt{ETag: aws.ToString(head.ETag), VersionID: aws.ToString(head.VersionId)}, nil
}

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
	if _, err = client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.config.Bucket}); err != nil {
		return s.account.fault("check", target, err)
	}
	return nil
}

func (s *S3) bucket(o Object) string {
	if o.Bucket != "" {
		return o.Bucket
	}
	return s.config.Bucket
}

// client makes a client that tries once: the engine that drives us retries.
func (s *S3) client(ctx context.Context) (*s3.Client, error) {
	c, err := s.account.config(ctx)
	if err != nil {
		return nil, err
	}
	return s3.NewFromConfig(c, func(o *s3.Options) {
		o.UsePathStyle = s.config.PathStyle
		o.Retryer = aws.NopRetryer{}
		if s.config.Endpoint != "" {
			o.BaseEndpoint = &s.config.Endpoint
		}
	}), nil
}

// httpStatus is the status of the answer that err stands for, 0 without one.
func httpStatus(err error) int {
	var r *smithyhttp.ResponseError
	if errors.As(err, &r) && r.Response != nil {
		return r.HTTPStatusCode()
	}
	return 0
}

// lent is a body that is its owner's again once giveBack has returned, even
// if the transport has not noticed yet that its request is over.
type lent struct {
	mu    sync.Mutex
	r     io.ReadSeeker
	ended bool
}

func (l *lent) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return 0, errReturned
	}
	return l.r.Read(p)
}

func (l *lent) Seek(offset int64, whence int) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return 0, errReturned
	}
	return l.r.Seek(offset, whence)
}

func (l *lent) giveBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
}
