package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// schedBatch is SCHED_BATCH of sched(7): an equal share of the processor, but
// its thread never interrupts another when it wakes up. Anybody may choose it,
// and go back.
const (
	schedOther = 0
	schedBatch = 3
)

// background lets no thread of this process interrupt one of the foreground.
// Threads that begin later, in C libraries too, are as the one they come from.
// Call it while the process has few: those that begin meanwhile may be missed.
func background() error {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("scheduling: %w", err)
	}
	for _, t := range tasks {
		if id, err := strconv.Atoi(t.Name()); err == nil {
			if err := schedule(id, schedBatch); err != nil {
				return err
			}
		}
	}
	return nil
}

// foreground runs f on a thread that, after background, only its like and
// other processes interrupt: what computes a verdict is not put aside for
// what tells the world of the last one. Threads that f begins are the same.
func foreground(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if schedule(0, schedOther) == nil {
		defer func() { _ = schedule(0, schedBatch) }() // it went the other way
	}
	return f()
}

func schedule(thread int, policy uint32) error {
	a := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: policy}
	if nice, err := unix.Getpriority(unix.PRIO_PROCESS, thread); err == nil {
		a.Nice = int32(20 - nice) // the system call tells 40 to 1
	}
	if err := unix.SchedSetAttr(thread, &a, 0); err != nil {
		return fmt.Errorf("scheduling: %w", err)
	}
	return nil
}
