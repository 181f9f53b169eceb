//go:build unix

package tlsconfig

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// keepOwner gives a file the owner of another one, so that what the superuser changes can
// still be read by the account that it belongs to. Others own what they write.
func keepOwner(name, like string) error {
	info, err := os.Stat(like)
	if errors.Is(err, fs.ErrNotExist) || os.Geteuid() != 0 {
		return nil
	}
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return os.Chown(name, int(stat.Uid), int(stat.Gid))
}

func rename(from, to string) error { return os.Rename(from, to) }
