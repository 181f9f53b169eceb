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

// keepRights gives a file the owner, as keepOwner does, the group and the rights of another
// one. Who isn't of that group leaves its rights out, since their own may be everybody.
func keepRights(name, like string) error {
	info, err := os.Stat(like)
	if err != nil {
		return ignoreMissing(err)
	}
	rights := info.Mode().Perm()
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && os.Geteuid() != 0 && os.Chown(name, -1, int(stat.Gid)) != nil {
		rights &^= 0o070
	}
	return errors.Join(keepOwner(name, like), os.Chmod(name, rights))
}

func rename(from, to string) error { return os.Rename(from, to) }
