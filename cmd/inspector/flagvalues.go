package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"inspector/classify"
)

// toneOf reads --copper; fallback is what an empty flag means.
func toneOf(flag string, fallback classify.Tone) (classify.Tone, error) {
	switch t := classify.Tone(flag); t {
	case "":
		return fallback, nil
	case classify.Dark, classify.Bright:
		return t, nil
	}
	return "", exit{2, fmt.Errorf("--copper: %q is unknown; want dark or bright", flag)}
}

// pictures are the files of the flag's folder that look like stills, in order.
func pictures(flag, dir string) (files []string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: there is no folder %s; name one with stills, or draw some with inspector recipe example FOLDER", flag, dir)
	} else if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	for _, e := range entries {
		if isPicture(e) {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: no pictures in %s%s", flag, dir, below(dir, entries))
	}
	return files, nil
}

func isPicture(e fs.DirEntry) bool {
	ext := strings.ToLower(filepath.Ext(e.Name()))
	return !e.IsDir() && slices.Contains([]string{".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}, ext)
}

// below says in which folders of dir there are pictures; empty: in none.
func below(dir string, entries []fs.DirEntry) string {
	var found []string
	for _, e := range entries {
		inner, err := os.ReadDir(filepath.Join(dir, e.Name()))
		if err == nil && slices.ContainsFunc(inner, isPicture) {
			found = append(found, filepath.Join(dir, e.Name()))
		}
	}
	if found == nil {
		return ""
	}
	return "; there are some in " + strings.Join(found, ", ")
}

// noFolders reports a folder among files.
func noFolders(files []string) error {
	for _, file := range files {
		if info, err := os.Stat(file); err == nil && info.IsDir() {
			return exit{2, fmt.Errorf("%s is a folder; name its pictures: %s", file, filepath.Join(file, "*.png"))}
		}
	}
	return nil
}
