package receivers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// listen opens a TCP port and explains what keeps it from being opened. keepAlive is the
// pause between the probes of TCP: 0 is the system's, a negative one sends none.
func listen(ctx context.Context, address string, keepAlive time.Duration) (net.Listener, error) {
	l, err := (&net.ListenConfig{KeepAlive: keepAlive}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, explainListen(address, err)
	}
	return l, nil
}

// explainListen says in plain words why a port can't be listened on and what to do.
func explainListen(address string, err error) error {
	_, port, _ := net.SplitHostPort(address)
	switch {
	case isErrno(err, syscall.EADDRINUSE, 10048):
		return fmt.Errorf("port %s is in use by another program: choose another port, or stop that program: %w", port, err)
	case isErrno(err, syscall.EACCES, 10013), errors.Is(err, os.ErrPermission):
		return fmt.Errorf("this account may not listen on port %s: %s: %w", port, privilegedRemedy(runtime.GOOS), err)
	case isErrno(err, syscall.EADDRNOTAVAIL, 10049):
		return fmt.Errorf("this machine doesn't have the address of %s: write :%s to listen on all that it has: %w", address, port, err)
	}
	return fmt.Errorf("can't listen on %s: %w", address, err)
}

// isErrno knows the numbers of Windows sockets, which the portable names don't cover.
func isErrno(err error, unix syscall.Errno, windows uintptr) bool {
	e, ok := errors.AsType[syscall.Errno](err)
	return ok && (e == unix || runtime.GOOS == "windows" && uintptr(e) == windows)
}

// isPassing reports whether a connection could not be accepted because the machine or this
// process has too little of something, or because of the connection itself, which the
// network has failed or a firewall forbids (accept(2)): the next one may do.
func isPassing(err error) bool {
	for _, e := range []struct {
		unix    syscall.Errno
		windows uintptr
	}{
		{syscall.EMFILE, 10024}, {syscall.ENFILE, 10024}, {syscall.ENOBUFS, 10055}, {syscall.ENOMEM, 10055},
		{syscall.ECONNABORTED, 10053}, {syscall.ECONNRESET, 10054}, {syscall.EPROTO, 10054}, {syscall.EPERM, 10013},
		{syscall.ENETDOWN, 10050}, {syscall.ENETUNREACH, 10051}, {syscall.EHOSTDOWN, 10064}, {syscall.EHOSTUNREACH, 10065},
	} {
		if isErrno(err, e.unix, e.windows) {
			return true
		}
	}
	return false
}

// privilegedRemedy says how an ordinary account gets a port below 1024.
func privilegedRemedy(goos string) string {
	switch goos {
	case "linux":
		return "choose a port from 1024 up, or allow this one with `setcap cap_net_bind_service=+ep PROGRAM` or, in a systemd unit, AmbientCapabilities=CAP_NET_BIND_SERVICE"
	case "windows":
		return "another service may have reserved it: see `netsh interface ipv4 show excludedportrange protocol=tcp`, or choose another port"
	}
	return "choose a port from 1024 up, or let the system forward this one to it"
}

// A limitListener closes connections over its limits as soon as they come, so that
// they hold nothing. When a connection can't be accepted it goes on with the next one.
type limitListener struct {
	net.Listener
	total, perPeer int
	allowed        []Network // empty for everybody
	log            *zap.Logger
	closed         context.Context // ends with Close
	close          context.CancelFunc

	mu        sync.Mutex
	open      int
	peers     map[netip.Addr]int
	refused   bool // and said so, since there was last room
	strangers map[netip.Addr]bool
}

func newLimitListener(l net.Listener, total, perPeer int, allowed []Network, log *zap.Logger) *limitListener {
	x := &limitListener{
		Listener: l, total: total, perPeer: perPeer, allowed: allowed, log: log,
		peers: make(map[netip.Addr]int), strangers: make(map[netip.Addr]bool),
	}
	x.closed, x.close = context.WithCancel(context.Background())
	return x
}

func (l *limitListener) Close() error {
	l.close()
	return l.Listener.Close()
}

func (l *limitListener) Accept() (net.Conn, error) {
	pause := time.Duration(0)
	for {
		c, err := l.Listener.Accept()
		if isPassing(err) {
			if pause == 0 {
				l.log.Error("a connection can't be taken; it is tried again", zap.Error(err))
			}
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			select {
			case <-time.After(pause):
				continue
			case <-l.closed.Done():
				return nil, net.ErrClosed
			}
		}
		if err != nil {
			return nil, err
		}
		pause = 0
		peer := peerAddr(c.RemoteAddr())
		if !l.take(peer.Addr()) {
			c.Close()
			continue
		}
		return &limitedConn{Conn: c, done: sync.OnceFunc(func() { l.give(peer.Addr()) })}, nil
	}
}

func (l *limitListener) take(peer netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.allowed) > 0 && !slices.ContainsFunc(l.allowed, func(n Network) bool { return n.Contains(peer) }) {
		const most = 1000 // of whom it is remembered that they were named
		if !l.strangers[peer] && len(l.strangers) < most {
			l.strangers[peer] = true
			l.log.Warn("a peer is refused: its address is in none of the networks that are allowed", zap.Stringer("peer", peer))
		}
		return false
	}
	if l.open >= l.total || l.peers[peer] >= l.perPeer {
		if !l.refused { // one line, not one for each connection of a flood
			l.log.Warn("connections are refused: the limit is reached", zap.Stringer("peer", peer),
				zap.Int("ofPeer", l.peers[peer]), zap.Int("inAll", l.open))
		}
		l.refused = true
		return false
	}
	l.refused = false
	l.open++
	l.peers[peer]++
	return true
}

func (l *limitListener) give(peer netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.peers[peer]--; l.peers[peer] == 0 {
		delete(l.peers, peer)
	}
}

type limitedConn struct {
	net.Conn
	done func()
}

// CloseWrite tells the peer that nothing more comes, where the connection can.
func (c *limitedConn) CloseWrite() error {
	if t, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return t.CloseWrite()
	}
	return nil
}

func (c *limitedConn) Close() error {
	defer c.done()
	return c.Conn.Close()
}

// peerAddr returns the address of a TCP peer, with IPv4 in its own form.
func peerAddr(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
