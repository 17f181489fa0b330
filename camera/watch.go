package camera

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// rescan is how often a folder is listed that other computers may write to, or
// whose events were lost.
const rescan = time.Second

// watch delivers the stills that are written or moved into the folder from
// now on, each when its writer has closed it. Not all file systems tell of
// that (inotify(7)): on those, and when the kernel lost events, a file counts
// as complete when it did not change from one listing to the next.
func (f *folder) watch(ctx context.Context, out sink) error {
	events, err := f.inotify()
	if err != nil {
		return err
	}
	defer events.Close()
	defer context.AfterFunc(ctx, func() { _ = events.SetReadDeadline(time.Now()) })() // unblocks Read
	before, err := f.stamps()
	if err != nil {
		return err
	}
	sweeps := 0 // listings to make
	if f.seen == nil {
		f.seen = before
	} else {
		sweeps = 2 // what came while the folder was lost
	}
	remote := isRemote(f.dir)
	out.opened()
	buffer := make([]byte, 64<<10)
	for {
		_ = events.SetReadDeadline(time.Now().Add(rescan)) // else Read fails and says so
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := events.Read(buffer)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, os.ErrDeadlineExceeded):
			if err = nil; sweeps > 0 || remote {
				sweeps = max(0, sweeps-1)
				before, err = f.sweep(ctx, out, before)
			} else if len(f.seen) > 2*f.kept+1000 {
				before, err = f.forget()
			}
		case err == nil:
			names, overflow, gone := parseEvents(buffer[:n])
			if overflow {
				sweeps = 2
			}
			if err = f.arrived(ctx, out, names); err == nil && gone {
				err = fmt.Errorf("watch %s: the folder was moved, removed or unmounted; put it back", f.dir)
			}
		}
		if err != nil {
			return err
		}
	}
}

func (f *folder) inotify() (*os.File, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w: raise fs.inotify.max_user_instances with sysctl", f.dir, err)
	}
	const mask = unix.IN_CLOSE_WRITE | unix.IN_MOVED_TO | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR
	if _, err := unix.InotifyAddWatch(fd, f.dir, mask); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("watch %s: %w: the folder must exist and be readable", f.dir, err)
	}
	return os.NewFile(uintptr(fd), "inotify"), nil
}

// parseEvents returns the names in the events of one read from inotify(7),
// whether events were lost, and whether the folder is gone.
func parseEvents(b []byte) (names []string, overflow, gone bool) {
	for len(b) >= unix.SizeofInotifyEvent { // watch, mask, cookie, length, then the name
		mask, length := binary.NativeEndian.Uint32(b[4:]), binary.NativeEndian.Uint32(b[12:])
		b = b[unix.SizeofInotifyEvent:]
		length = min(length, uint32(len(b)))
		if name := unix.ByteSliceToString(b[:length]); name != "" {
			names = append(names, name)
		}
		overflow = overflow || mask&unix.IN_Q_OVERFLOW != 0
		gone = gone || mask&(unix.IN_DELETE_SELF|unix.IN_MOVE_SELF|unix.IN_UNMOUNT|unix.IN_IGNORED) != 0
		b = b[length:]
	}
	return names, overflow, gone
}

// arrived delivers the stills that were just closed or moved here.
func (f *folder) arrived(ctx context.Context, out sink, names []string) error {
	for _, name := range names {
		if !f.wanted(name) {
			continue
		}
		now, err := stampOf(filepath.Join(f.dir, name))
		if errors.Is(err, os.ErrNotExist) || err == nil && now == f.seen[name] {
			continue // renamed again, or its event came twice
		}
		f.seen[name] = now
		if err := out.deliver(ctx, f.read(name)); err != nil {
			return err
		}
	}
	return nil
}

// sweep delivers the unseen stills that are as they were before, and returns
// how they are now.
func (f *folder) sweep(ctx context.Context, out sink, before map[string]stamp) (map[string]stamp, error) {
	now, err := f.forget()
	if err != nil {
		return before, err
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if s := now[name]; s != f.seen[name] && s == before[name] {
			f.seen[name] = s
			if err := out.deliver(ctx, f.read(name)); err != nil {
				return now, err
			}
		}
	}
	return now, nil
}

// forget lists the stills, and drops from seen those that were removed.
func (f *folder) forget() (map[string]stamp, error) {
	now, err := f.stamps()
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(f.seen, func(name string, _ stamp) bool { _, there := now[name]; return !there })
	f.kept = len(f.seen)
	return now, nil
}

func (f *folder) stamps() (map[string]stamp, error) {
	names, err := f.list()
	if err != nil {
		return nil, err
	}
	stamps := make(map[string]stamp, len(names))
	for _, name := range names {
		if s, err := stampOf(filepath.Join(f.dir, name)); err == nil { // else it was just removed
			stamps[name] = s
		}
	}
	return stamps, nil
}

func stampOf(name string) (stamp, error) {
	info, err := os.Stat(name)
	if err != nil {
		return stamp{}, err
	}
	return stamp{info.Size(), info.ModTime()}, nil
}

// isRemote reports whether another computer may write to dir unannounced.
func isRemote(dir string) bool {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return true // list it: that is never wrong
	}
	switch uint32(s.Type) {
	case unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.V9FS_MAGIC, unix.FUSE_SUPER_MAGIC:
		return true
	}
	return false
}
