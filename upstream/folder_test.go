package upstream

import (
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func folder(t *testing.T, dir string) *Folder {
	t.Helper()
	d, err := NewFolder(FolderConfig{Dir: dir, Bucket: "inspections", Queue: "results"})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// files gives what lies below dir, by slash-separated name.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		all[filepath.ToSlash(name)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestFolderPut(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "yet")
	d := folder(t, dir)
	if _, err := os.Stat(dir); err == nil {
		t.Error("the constructor made the folder")
	}
	if err := d.Check(t.Context()); err != nil {
		t.Error(err)
	}
	for range 2 {
		receipt, err := d.Put(t.Context(), object("boards/1/image.jpg", "copper"))
		if err != nil || receipt.ETag != sumOf("copper") {
			t.Fatalf("%+v, %v", receipt, err)
		}
	}
	_, err := d.Put(t.Context(), object("boards/1/image.jpg", "laminate"))
	want(t, err, "AlreadyExists", true)
	damaged := object("boards/2/image.jpg", "copper")
	damaged.Body = strings.NewReader("coPper")
	_, err = d.Put(t.Context(), damaged)
	want(t, err, "DamagedBody", true)
	_, err = d.Put(t.Context(), object("boards/1/image.jpg/x", "copper"))
	want(t, err, "NotAFolder", true)
	_, err = d.Put(t.Context(), object("boards/1", "copper"))
	want(t, err, "NotAFile", true)
	o := object("k", "y")
	o.Bucket = "other"
	if _, err := d.Put(t.Context(), o); err != nil {
		t.Error(err)
	}
	if got := files(t, dir); len(got) != 2 || got["inspections/boards/1/image.jpg"] != "copper" || got["other/k"] != "y" {
		t.Errorf("the folder holds %v", got)
	}
}

func TestFolderSend(t *testing.T) {
	dir := t.TempDir()
	d := folder(t, dir)
	m := Message{Body: `{"verdict":"fail"}`, Attributes: map[string]string{"verdict": "fail"}, Dedup: "d-e-1/Forward/2"}
	for range 2 {
		name, err := d.Send(t.Context(), m)
		if err != nil || name != "results/d-e-1%2FForward%2F2.json" {
			t.Fatalf("%q, %v", name, err)
		}
	}
	var got struct {
		Key, Body  string
		Attributes map[string]string
	}
	if err := json.Unmarshal([]byte(files(t, dir)["results/d-e-1%2FForward%2F2.json"]), &got); err != nil ||
		got.Key != m.Dedup || got.Body != m.Body || got.Attributes["verdict"] != "fail" {
		t.Errorf("%+v, %v", got, err)
	}
	m.Body = "{}"
	_, err := d.Send(t.Context(), m)
	want(t, err, "AlreadyExists", true)
	_, err = d.Send(t.Context(), Message{Body: "x"})
	want(t, err, "MissingKey", true)
}

// No key, bucket or message leaves the folder, and no two share a file.
func TestFolderNames(t *testing.T) {
	outside := t.TempDir()
	dir := filepath.Join(outside, "in")
	d := folder(t, dir)
	long := strings.Repeat("é", 300)
	keys := []string{"../../../out", "...", ".", "/etc/passwd", "a//b", "a/b/", "a/./c", "a/../d", `a\b`, "a:b", "CON", "é", "%C3%A9", " ",
		"a b", "x\ny", ".part-k", "k%", "..%2Fout", "~", "$(id)", "-rf", long, long + "1", strings.Repeat("d/", 50) + "f"}
	for _, key := range keys {
		if _, err := d.Put(t.Context(), object(key, key)); err != nil {
			t.Errorf("%q: %v", key, err)
		}
		if _, err := d.Send(t.Context(), Message{Body: key, Dedup: key}); err != nil {
			t.Errorf("%q: %v", key, err)
		}
		o := object("key", key)
		o.Bucket = key
		if _, err := d.Put(t.Context(), o); err != nil {
			t.Errorf("bucket %q: %v", key, err)
		}
	}
	all := files(t, outside)
	for name := range all {
		if !strings.HasPrefix(name, "in/") {
			t.Errorf("%s is outside", name)
		}
	}
	if len(all) != 3*len(keys) {
		t.Errorf("%d files for %d things", len(all), 3*len(keys))
	}
}

func FuzzKeyPath(f *testing.F) {
	for _, key := range []string{"../a", "a//b", "", "é/%", "/", ".\x00."} {
		f.Add(key, "a/b")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		p := keyPath(a)
		if !filepath.IsLocal(filepath.FromSlash(p)) || filepath.ToSlash(filepath.Clean(p)) != p {
			t.Errorf("%q becomes %q", a, p)
		}
		for part := range strings.SplitSeq(p, "/") {
			if part == "" || part[0] == '.' || len(part) > 200 {
				t.Errorf("%q becomes %q with the part %q", a, p, part)
			}
		}
		if (a == b) != (p == keyPath(b)) {
			t.Errorf("%q and %q become %q and %q", a, b, p, keyPath(b))
		}
	})
}

// A symbolic link in the folder does not lead out of it.
func TestFolderLink(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "inspections")); err != nil {
		t.Fatal(err)
	}
	_, err := folder(t, dir).Put(t.Context(), object("k", "copper"))
	want(t, err, "Disk", false)
	if got := files(t, outside); len(got) != 0 {
		t.Errorf("outside are %v", got)
	}
}

func TestFolderConcurrent(t *testing.T) {
	dir := t.TempDir()
	d := folder(t, dir)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if _, err := d.Put(t.Context(), object("same", "copper")); err != nil {
				t.Error(err)
			}
			_, err := d.Put(t.Context(), object("contested", string(rune('a'+i))))
			if err != nil {
				want(t, err, "AlreadyExists", true)
			}
		})
	}
	wg.Wait()
	if got := files(t, dir); len(got) != 2 || got["inspections/same"] != "copper" || len(got["inspections/contested"]) != 1 {
		t.Errorf("the folder holds %v", got)
	}
}

func TestFolderCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	_, err := folder(t, dir).Put(ctx, object("k", "copper"))
	want(t, err, "Canceled", false)
	if got := files(t, dir); len(got) != 0 {
		t.Errorf("the folder holds %v", got)
	}
}

// A power cut while writing leaves a part; the repeat overwrites it.
func TestFolderAfterPowerCut(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "inspections"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "inspections", ".part-k"), []byte("longer than the whole"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := folder(t, dir).Put(t.Context(), object("k", "copper")); err != nil {
		t.Fatal(err)
	}
	if got := files(t, dir); len(got) != 1 || got["inspections/k"] != "copper" {
		t.Errorf("the folder holds %v", got)
	}
}

// tmpfs mounts a small file system, or skips.
func tmpfs(t *testing.T, options string, flags uintptr) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", flags, options); err != nil {
		t.Skipf("needs root and tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestFolderDiskFull(t *testing.T) {
	dir := tmpfs(t, "size=64k", 0)
	d := folder(t, dir)
	big := object("big", strings.Repeat("copper", 20_000))
	_, err := d.Put(t.Context(), big)
	want(t, err, "DiskFull", false)
	if got := files(t, dir); len(got) != 0 {
		t.Errorf("the folder holds %d files", len(got))
	}
	if _, err := d.Put(t.Context(), object("small", "copper")); err != nil {
		t.Errorf("after the full disk: %v", err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=1m"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Put(t.Context(), big); err != nil {
		t.Errorf("with space again: %v", err)
	}
}

func TestFolderReadOnly(t *testing.T) {
	d := folder(t, tmpfs(t, "", syscall.MS_RDONLY))
	_, err := d.Put(t.Context(), object("k", "copper"))
	want(t, err, "ReadOnly", true)
	want(t, d.Check(t.Context()), "ReadOnly", true)
}

func TestFolderNotOurs(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write everywhere")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	d := folder(t, dir)
	_, err := d.Put(t.Context(), object("k", "copper"))
	want(t, err, "PermissionDenied", true)
	want(t, d.Check(t.Context()), "PermissionDenied", true)
}

func TestFolderIsFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, folder(t, file).Check(t.Context()), "NotAFolder", true)
	for _, c := range []FolderConfig{{}, {Dir: "d", Bucket: "b"}, {Dir: "d", Queue: "q"}, {Bucket: "b", Queue: "q"}} {
		if _, err := NewFolder(c); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}

// How much more Put costs than a bare write, sync and rename.
func BenchmarkFolderPut(b *testing.B) {
	body := strings.Repeat("c", 200<<10)
	dir := b.TempDir()
	d, err := NewFolder(FolderConfig{Dir: dir, Bucket: "b", Queue: "q"})
	if err != nil {
		b.Fatal(err)
	}
	bare := func(name string) error {
		part := filepath.Join(dir, ".part")
		f, err := os.Create(part)
		if err != nil {
			return err
		}
		defer f.Close()
		if _, err := f.WriteString(body); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
		return os.Rename(part, filepath.Join(dir, name))
	}
	b.SetBytes(int64(len(body)))
	ratio(b, func(i string) error { _, err := d.Put(b.Context(), object(i, body)); return err }, bare)
}
