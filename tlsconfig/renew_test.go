package tlsconfig_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ladlehq/ladle/tlsconfig"
)

// replaceFile puts content in place of a file at once, as renewals do.
func replaceFile(t testing.TB, name string, parts ...[]byte) {
	t.Helper()
	f := name + ".new"
	if err := os.WriteFile(f, slices.Concat(parts...), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(f, name); err != nil {
		t.Fatal(err)
	}
}

func openServer(t testing.TB, c tlsconfig.Certificate) *tlsconfig.Source {
	t.Helper()
	s, err := tlsconfig.Server{Certificates: []tlsconfig.Certificate{c}}.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), s.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// shown returns the certificate that a server shows.
func shown(t testing.TB, server *tls.Config) *x509.Certificate {
	t.Helper()
	state, _, err := handshake(t, server, &tls.Config{InsecureSkipVerify: true}, 1)
	if err != nil {
		t.Fatal(err)
	}
	return state.PeerCertificates[0]
}

func TestRenewal(t *testing.T) {
	t.Parallel()
	first, second, third := issue(t, "first", nil, nil), issue(t, "second", nil, nil), issue(t, "third", nil, nil)
	name := file(t, first.certPEM(), first.keyPEM(t))
	source := openServer(t, tlsconfig.Certificate{File: name})
	notices := make(chan tlsconfig.Notice)
	source.Watch(func(n tlsconfig.Notice) { notices <- n })
	source.Watch(nil) // does nothing
	config := source.Config()
	next := func() tlsconfig.Notice {
		t.Helper()
		select {
		case n := <-notices:
			return n
		case <-time.After(30 * time.Second):
			t.Fatal("nothing was noticed")
			panic("unreachable")
		}
	}
	if !shown(t, config).Equal(first.cert) {
		t.Error("the first is not shown")
	}
	replaceFile(t, name, second.certPEM(), second.keyPEM(t))
	if n := next(); n.Kind != tlsconfig.Renewed || !n.Certificate.Equal(second.cert) || !strings.Contains(n.String(), "was renewed: CN=second") {
		t.Errorf("%v %v", n, n.Err)
	}
	if !shown(t, config).Equal(second.cert) || !source.Leaves()[0].Equal(second.cert) {
		t.Error("the second is not shown")
	}
	// What can't be used changes nothing.
	replaceFile(t, name, third.certPEM(), first.keyPEM(t))
	if n := next(); n.Kind != tlsconfig.NotRenewed || !errors.Is(n.Err, tlsconfig.ErrKeyMismatch) || !n.Certificate.Equal(second.cert) || !strings.Contains(n.String(), "the old one stays") {
		t.Errorf("%v %v", n, n.Err)
	}
	if !shown(t, config).Equal(second.cert) {
		t.Error("the second is not shown any more")
	}
	replaceFile(t, name, third.certPEM(), third.keyPEM(t))
	if n := next(); n.Kind != tlsconfig.Renewed || !n.Certificate.Equal(third.cert) {
		t.Errorf("%v %v", n, n.Err)
	}
	if changed, err := source.Renew(); changed || err != nil {
		t.Errorf("nothing has changed: %v %v", changed, err)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if n := next(); n.Kind != tlsconfig.NotRenewed || !errors.Is(n.Err, os.ErrNotExist) {
		t.Errorf("%v %v", n, n.Err)
	}
}

// A file that was replaced between opening and watching is noticed, too.
func TestRenewedBeforeWatch(t *testing.T) {
	t.Parallel()
	first, second := issue(t, "first", nil, nil), issue(t, "second", nil, nil)
	name := file(t, first.certPEM(), first.keyPEM(t))
	source := openServer(t, tlsconfig.Certificate{File: name})
	replaceFile(t, name, second.certPEM(), second.keyPEM(t))
	notices := make(chan tlsconfig.Notice, 1)
	source.Watch(func(n tlsconfig.Notice) { notices <- n })
	select {
	case n := <-notices:
		if n.Kind != tlsconfig.Renewed || !n.Certificate.Equal(second.cert) {
			t.Errorf("%v %v", n, n.Err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("nothing was noticed")
	}
}

// Fifty renewals while two hundred connections send: none fails, and those that are open
// live on.
func TestRenewalUnderLoad(t *testing.T) {
	t.Parallel()
	ca := issue(t, "authority", nil, authority)
	var pairs []identity
	for i := range 5 {
		pairs = append(pairs, issue(t, fmt.Sprintf("leaf %d", i), &ca, nil))
	}
	name := file(t, pairs[0].certPEM(), pairs[0].keyPEM(t))
	source := openServer(t, tlsconfig.Certificate{File: name})
	l, err := tls.Listen("tcp", "127.0.0.1:0", source.Config())
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer c.Close()
				io.Copy(c, c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	client := mustOpen(t, tlsconfig.Client{Trust: tlsconfig.Trust{CAFiles: []string{file(t, ca.certPEM())}}, ServerName: "localhost"})
	client.ClientSessionCache = nil // every connection sees a certificate
	echo := func(c net.Conn) error {
		if _, err := c.Write([]byte("message")); err != nil {
			return err
		}
		_, err := io.ReadFull(c, make([]byte, 7))
		return err
	}
	open, err := tls.Dial("tcp", l.Addr().String(), client)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	var stop atomic.Bool
	var sent atomic.Int64
	var sending sync.WaitGroup
	for range 200 {
		sending.Go(func() {
			for first := true; first || !stop.Load(); first = false {
				c, err := tls.Dial("tcp", l.Addr().String(), client)
				if err == nil {
					err = echo(c)
					c.Close()
				}
				if err != nil {
					t.Error(err)
					return
				}
				sent.Add(1)
			}
		})
	}
	for i := range 50 {
		p := pairs[(i+1)%len(pairs)]
		replaceFile(t, name, p.certPEM(), p.keyPEM(t))
		if changed, err := source.Renew(); !changed || err != nil {
			t.Errorf("renewal %d: %v %v", i, changed, err)
		}
	}
	stop.Store(true)
	sending.Wait()
	if err := echo(open); err != nil {
		t.Errorf("the connection that was open: %v", err)
	}
	if sent.Load() < 200 {
		t.Errorf("only %d messages", sent.Load())
	}
}

// What has changed between opening and watching is noticed, though nothing changes any more.
func TestRenewalBeforeWatch(t *testing.T) {
	t.Parallel()
	first, second := issue(t, "first", nil, nil), issue(t, "second", nil, nil)
	name := file(t, first.certPEM(), first.keyPEM(t))
	source := openServer(t, tlsconfig.Certificate{File: name})
	replaceFile(t, name, second.certPEM(), second.keyPEM(t))
	notices := make(chan tlsconfig.Notice)
	source.Watch(func(n tlsconfig.Notice) { notices <- n })
	select {
	case n := <-notices:
		if n.Kind != tlsconfig.Renewed || !n.Certificate.Equal(second.cert) {
			t.Errorf("%v %v", n, n.Err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("nothing was noticed")
	}
	if !shown(t, source.Config()).Equal(second.cert) {
		t.Error("the second is not shown")
	}
}

func TestCertificateEnds(t *testing.T) {
	t.Parallel()
	end := time.Now().AddDate(0, 0, 60)
	pair := issue(t, "ends", nil, func(c *x509.Certificate) { c.NotAfter = end })
	source := openServer(t, pair.bundle(t))
	day := 24 * time.Hour
	var got []string
	for left := 61; left >= -2; left-- {
		for _, n := range source.Ending(end.Add(-time.Duration(left)*day - time.Hour)) {
			got = append(got, fmt.Sprintf("%d:%d", left, n.Days))
			if n.Kind != tlsconfig.Ends || !strings.Contains(n.String(), map[bool]string{true: "has expired", false: "ends in"}[n.Days <= 0 && left < 0]) {
				t.Errorf("%d: %v", left, n)
			}
		}
	}
	if s := strings.Join(got, " "); s != "30:30 14:14 7:7 3:3 1:1 -1:-1" {
		t.Errorf("noticed at %s", s)
	}
}

// A file that nobody watches is not read, and a Source that was closed renews nothing.
func TestRenewAfterClose(t *testing.T) {
	t.Parallel()
	first, second := issue(t, "first", nil, nil), issue(t, "second", nil, nil)
	name := filepath.Clean(file(t, first.certPEM(), first.keyPEM(t)))
	source := openServer(t, tlsconfig.Certificate{File: name})
	if err := source.Close(); err != nil {
		t.Fatal(err)
	}
	source.Watch(func(tlsconfig.Notice) { t.Error("noticed") })
	replaceFile(t, name, second.certPEM(), second.keyPEM(t))
	if changed, err := source.Renew(); changed || err != nil {
		t.Errorf("%v %v", changed, err)
	}
}
