//go:build !unix

package tlsconfig

import (
	"errors"
	"io/fs"
	"os"
	"time"
)

// keepOwner does nothing: elsewhere than on Unix a file inherits its rights from its
// folder.
func keepOwner(_, _ string) error { return nil }

// keepRights keeps a file from being written when another one is.
func keepRights(name, like string) error {
	info, err := os.Stat(like)
	if err != nil {
		return ignoreMissing(err)
	}
	return os.Chmod(name, info.Mode().Perm())
}

// rename is tried again for a while: Windows refuses it as long as somebody is reading the
// old file.
func rename(from, to string) (err error) {
	for range 200 {
		if err = os.Rename(from, to); err == nil || errors.Is(err, fs.ErrNotExist) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return err
}
