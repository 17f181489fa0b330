package upstream

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"
)

// BenchmarkPutParallel drains boards to a real server by Put, and beside it by a
// bare loop of PutObject with the same SDK, as many at once, and reports the
// time of ours over the bare one's: 1.25 is a rate of 0.8 of it. The bare loop
// neither minds whether a key is taken nor has a SHA-256 verified.
func BenchmarkPutParallel(b *testing.B) {
	const parallel = 8
	for _, size := range []int{2 << 10, 200 << 10, 2 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			credentials(b, keyID, secret)
			s, err := NewS3(S3Config{Bucket: "pcb", Region: "us-east-1", Endpoint: gateway(b), PathStyle: true, Parallel: parallel})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			client, err := s.client(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			if _, err := client.CreateBucket(b.Context(), &s3.CreateBucketInput{Bucket: aws.String("pcb")}); err != nil {
				b.Fatal(err)
			}
			objects := min(200, 64<<20/size)
			body := []byte(noise(size, 7))
			sum := sha256.Sum256(body)
			drain := func(put func(key string) error) func(string) error {
				return func(round string) error {
					var g errgroup.Group
					g.SetLimit(parallel)
					for n := range objects {
						g.Go(func() error { return put(fmt.Sprintf("boards/%s/%d", round, n)) })
					}
					return g.Wait()
				}
			}
			ours := drain(func(key string) error {
				_, err := s.Put(b.Context(), Object{Key: "ours/" + key, Body: bytes.NewReader(body), Size: int64(size), SHA256: hex.EncodeToString(sum[:])})
				return err
			})
			bare := drain(func(key string) error {
				_, err := client.PutObject(b.Context(), &s3.PutObjectInput{Bucket: aws.String("pcb"), Key: aws.String("bare/" + key), Body: bytes.NewReader(body)})
				return err
			})
			for n, f := range []func(string) error{ours, bare} { // connections, and the server's first steps
				if err := f(fmt.Sprint("warm", n)); err != nil {
					b.Fatal(err)
				}
			}
			ratio(b, ours, bare)
		})
	}
}
