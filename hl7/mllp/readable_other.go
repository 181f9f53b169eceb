//go:build !unix

package mllp

import "net"

// isReadable knows nothing where the system's sockets can't be asked without waiting; a short read answers instead.
func isReadable(net.Conn) (readable, known bool) { return false, false }
