//go:build unix

package examples_test

import (
	"os"
	"syscall"
)

// dropPrivileges makes this process an ordinary user's.
func dropPrivileges() error {
	if os.Geteuid() != 0 {
		return nil
	}
	const nobody = 65534
	return syscall.Setuid(nobody)
}
