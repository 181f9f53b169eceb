//go:build unix

package mllp

import (
	"errors"
	"net"
	"syscall"
)

// isReadable asks the system, without waiting and without taking anything, whether a read of conn would return at once:
// bytes have come, or the peer has closed. It doesn't know for a connection that is no socket of the system.
func isReadable(conn net.Conn) (readable, known bool) {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return false, false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return true, true // closed: the read will say so
	}
	var one [1]byte
	var peek error
	// Not RawConn.Read: that waits for a reader that is waiting itself. The socket doesn't block, so neither does this.
	err = raw.Control(func(fd uintptr) {
		for {
			_, _, peek = syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK)
			if !errors.Is(peek, syscall.EINTR) {
				return
			}
		}
	})
	if err != nil {
		return true, true
	}
	return !errors.Is(peek, syscall.EAGAIN), true
}
