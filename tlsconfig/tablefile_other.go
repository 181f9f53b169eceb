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
