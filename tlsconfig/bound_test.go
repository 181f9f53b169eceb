package tlsconfig_test

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"os"
	"testing"
	"time"

	"github.com/ladlehq/ladle/tlsconfig"
)

// openBound opens a server that follows the table on port 8443.
func openBound(t testing.TB, table *tlsconfig.Table) *tlsconfig.Source {
	t.Helper()
	s, err := tlsconfig.Server{Endpoint: ":8443", Certificates: []tlsconfig.Certificate{{Bound: tlsconfig.TableFile(table.File)}}}.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// A bound certificate that isn't there at the start is shown as soon as it is.
func TestBoundFileComesLate(t *testing.T) {
	t.Parallel()
	table, id := newTable(t), issue(t, "late", nil, nil)
	c := id.bundle(t)
	bind(t, table, ":8443", c)
	if err := os.Remove(c.File); err != nil {
		t.Fatal(err)
	}
	source := openBound(t, table)
	if len(source.Warnings()) != 1 || !source.Waiting() {
		t.Errorf("%q", source.Warnings())
	}
	notices := make(chan tlsconfig.Notice, 100)
	source.Watch(func(n tlsconfig.Notice) { notices <- n })
	mended := false
	deadline := time.After(30 * time.Second)
	for {
		select {
		case n := <-notices:
			if n.Kind == tlsconfig.NotRenewed && errors.Is(n.Err, fs.ErrNotExist) && !mended {
				mended = true // it has been looked for, and wasn't there
				replaceFile(t, c.File, id.certPEM(), id.keyPEM(t))
				continue
			}
			if n.Kind != tlsconfig.Bound || !n.Certificate.Equal(id.cert) || source.Waiting() {
				t.Errorf("%v: %v", n, n.Err)
			}
			return
		case <-deadline:
			t.Fatal("it wasn't noticed that the file is there")
		}
	}
}

// To read the table anew when it hasn't changed leaves sessions as they are.
func TestBoundSessionsLiveOn(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	bind(t, table, ":8443", issue(t, "localhost", nil, nil).bundle(t))
	source := openBound(t, table)
	client := &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	for i, resumed := range []bool{false, true} {
		state, _, err := handshake(t, source.Config(), client, 1)
		if err != nil || state.DidResume != resumed {
			t.Errorf("connection %d: resumed: %v, %v", i, state.DidResume, err)
		}
		if changed, err := source.Renew(); changed || err != nil {
			t.Errorf("nothing has changed: %v %v", changed, err)
		}
	}
}
