package main

import (
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"inspector"
	"inspector/upstream/sqstest"
)

// freePort is one that nobody used a moment ago.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// server is a real program, killed at the end of the test.
func server(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

// mosquitto is a real broker on the port, which keeps nothing.
func mosquitto(t testing.TB, port string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		path = "/usr/sbin/mosquitto" // Debian's place, not on everybody's path
		if _, err := os.Stat(path); err != nil {
			path = tool(t, "mosquitto")
		}
	}
	config := filepath.Join(t.TempDir(), "mosquitto.conf")
	if err := os.WriteFile(config, []byte("listener "+port+" 127.0.0.1\nallow_anonymous true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return server(t, path, "-c", config)
}

// accepts waits until something listens there.
func accepts(t testing.TB, port string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		c, err := (&net.Dialer{Timeout: time.Second}).DialContext(t.Context(), "tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("nothing listens on %s: %v", port, err)
		}
	}
}

// Everybody else's broker, S3 and SQS. The broker and the bucket are down at
// the start: what waits for them goes out when they come.
func TestExternalSinks(t *testing.T) {
	gateway := tool(t, "versitygw")
	const keyID, secret = "AKIDEXAMPLE", "a-secret-that-must-not-be-printed"
	sqsServer := httptest.NewServer(sqstest.New(keyID, secret))
	t.Cleanup(sqsServer.Close)
	brokerPort, s3Port := freePort(t), freePort(t)
	env := []string{
		"AWS_ACCESS_KEY_ID=" + keyID, "AWS_SECRET_ACCESS_KEY=" + secret, "INSPECTOR_SIMULATED_DEFECT_RATE=1",
		"INSPECTOR_MQTT_BROKER=tcp://127.0.0.1:" + brokerPort,
		"INSPECTOR_UPSTREAM_KIND=aws", "INSPECTOR_UPSTREAM_BUCKET=boards", "INSPECTOR_UPSTREAM_ENDPOINT=http://127.0.0.1:" + s3Port, "INSPECTOR_UPSTREAM_PATH_STYLE=true",
		"INSPECTOR_UPSTREAM_QUEUE_URL=" + sqsServer.URL + "/" + sqstest.Account + "/results",
	}
	queue := sqs.New(sqs.Options{Region: "us-east-1", BaseEndpoint: &sqsServer.URL, Credentials: credentials.NewStaticCredentialsProvider(keyID, secret, "")})
	if _, err := queue.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("results")}); err != nil {
		t.Fatal(err)
	}
	a := startAppliance(t, t.TempDir(), append(env, "INSPECTOR_TRIGGER_MODE=interval", "INSPECTOR_TRIGGER_INTERVAL=200ms")...)
	a.until("boards wait for sinks that are down", func() bool { return len(a.inspections("")) >= 3 })

	data := t.TempDir()
	mosquitto(t, brokerPort)
	accepts(t, brokerPort)
	alerts := subscriber(t, brokerPort, "-t", "inspector/#")
	if err := os.MkdirAll(filepath.Join(data, "boards"), 0o755); err != nil {
		t.Fatal(err)
	}
	server(t, gateway, "--iam-dir", t.TempDir(), "--access", keyID, "--secret", secret, "--port", "127.0.0.1:"+s3Port, "--quiet", "posix", data)

	m := receive(t, alerts, "alert")
	a.until("the picture and the record are in the bucket", func() bool {
		found, err := filepath.Glob(filepath.Join(data, "boards", "boards", "site", "line1", "inspector1", "simulated", "*", "*", "*", m.ID, "*.*"))
		return err == nil && len(found) == 3 // image.jpg, inspection.json, overlay.jpg
	})
	a.until("the record is in the queue", func() bool {
		got, err := queue.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: aws.String(sqsServer.URL + "/" + sqstest.Account + "/results"), MaxNumberOfMessages: 10, VisibilityTimeout: 600})
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(got.Messages, func(r types.Message) bool { return strings.Contains(*r.Body, `"`+m.ID+`"`) })
	})
	for _, r := range a.inspections("")[:3] {
		if r.Verdict == inspector.Pass {
			t.Errorf("board %s with defects passed", r.ID)
		}
	}
	a.stop()
	if strings.Contains(a.logs.String(), secret) {
		t.Error("the log shows the secret key")
	}
}
