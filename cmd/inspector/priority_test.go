package main

import (
	"errors"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

func policy(t *testing.T) uint32 {
	t.Helper()
	a, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return a.Policy
}

// Only what runs in the foreground may interrupt others, and only while it
// does; threads that begin later are as the one that they come from.
func TestForegroundAlonePrecedes(t *testing.T) {
	if err := background(); err != nil {
		t.Skipf("this machine does not allow it: %v", err)
	}
	onNewThread := func(f func()) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			runtime.LockOSThread() // for good: the thread ends here
			f()
		}()
		<-done
	}
	for range 20 {
		onNewThread(func() {
			if p := policy(t); p != schedBatch {
				t.Errorf("a thread has policy %d in the background", p)
			}
			broken := errors.New("broken")
			err := foreground(func() error {
				if p := policy(t); p != schedOther {
					t.Errorf("the foreground has policy %d", p)
				}
				onNewThread(func() {
					if p := policy(t); p != schedBatch {
						t.Errorf("a thread of Go's has policy %d beside the foreground", p)
					}
				})
				return broken
			})
			if !errors.Is(err, broken) {
				t.Errorf("foreground gave %v, not what its function gave", err)
			}
			if p := policy(t); p != schedBatch {
				t.Errorf("after the foreground a thread has policy %d", p)
			}
		})
	}
}
