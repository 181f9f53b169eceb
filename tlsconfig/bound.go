package tlsconfig

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
)

// boundCertificates are those that a binding table has for the endpoint of a server.
type boundCertificates struct {
	table    Table
	endpoint Endpoint
	rows     atomic.Pointer[[]boundCertificate]
	unusable []Binding // rows without a certificate to show; guarded by Source.mu
}

type boundCertificate struct {
	Binding
	pair tls.Certificate
}

// openBound reads what is bound to the server's endpoint by now, which may be nothing. A
// row whose certificate can't be used is left out and warned of: the others are served.
func (s *Source) openBound(table TableFile, endpoint string) error {
	e, err := ParseEndpoint(endpoint)
	switch {
	case endpoint == "":
		return field("bound", errors.New("only a server that has an endpoint can follow a table: set Endpoint to the address that is listened on"))
	case err != nil:
		return field("bound", fmt.Errorf("a table binds certificates to ports with a number, and this server listens on %q: %w", endpoint, err))
	case e.isName():
		e.Host = "" // the machine's addresses by that name; which row fits shows at each connection
	}
	s.bound = &boundCertificates{table: Table{File: string(table)}, endpoint: e}
	s.bound.rows.Store(new([]boundCertificate))
	notices, err := s.followTable()
	if err != nil {
		return field("bound", err)
	}
	for _, n := range notices {
		if n.Kind == NotRenewed {
			s.warnings = append(s.warnings, fmt.Sprintf("%v: %v", n, n.Err))
		}
	}
	for _, row := range *s.bound.rows.Load() {
		s.warnings = append(s.warnings, bindWarnings(row.Endpoint, row.pair)...)
	}
	return nil
}

// fits reports whether a row is about the server.
func (b *boundCertificates) fits(e Endpoint) bool {
	if e.Port != b.endpoint.Port {
		return false
	}
	return b.endpoint.Host == "" || e.Host == "" || e.isName() || e.Host == b.endpoint.Host
}

// followTable makes what is shown what the table says, and returns what has changed. An
// error says that the table can't be read, and then nothing changes.
func (s *Source) followTable() ([]Notice, error) {
	b := s.bound
	s.mu.Lock() // before the table is read, so that nobody puts older rows in the place of newer ones
	defer s.mu.Unlock()
	rows, found, err := b.table.readFound()
	if err != nil {
		return nil, err
	}
	if s.closed {
		return nil, nil
	}
	old := *b.rows.Load()
	if !found && len(old) > 0 {
		return nil, fmt.Errorf("%w: %s has vanished, and what was bound stays: to unbind, unbind", ErrTable, b.table.file())
	}
	var notices []Notice
	var now []boundCertificate
	var unusable []Binding
	for _, row := range rows {
		if !b.fits(row.Endpoint) {
			continue
		}
		i := slices.IndexFunc(old, func(o boundCertificate) bool { return o.Endpoint == row.Endpoint })
		c, err := row.certificate(b.table.file())
		var pair tls.Certificate
		if err == nil {
			pair, err = c.Load()
		}
		n := Notice{Endpoint: row.Endpoint, Kind: Bound, Certificate: pair.Leaf, Err: err}
		switch {
		case err != nil && i < 0:
			n.Kind = NotRenewed
			notices = append(notices, n)
			unusable = append(unusable, row)
			continue
		case err != nil:
			n.Kind, n.Certificate = NotRenewed, old[i].pair.Leaf
			now = append(now, old[i])
			notices = append(notices, n)
			continue
		case i < 0:
		case sameChain(pair, old[i].pair):
			if err := release(pair); err != nil {
				return nil, err
			}
			now = append(now, boundCertificate{row, old[i].pair})
			continue
		default:
			n.Kind = Renewed
		}
		now = append(now, boundCertificate{row, pair})
		notices = append(notices, n)
	}
	for _, o := range old {
		if !slices.ContainsFunc(now, func(x boundCertificate) bool { return x.Endpoint == o.Endpoint }) {
			notices = append(notices, Notice{Endpoint: o.Endpoint, Kind: Unbound, Certificate: o.pair.Leaf})
		}
		if !slices.ContainsFunc(now, func(x boundCertificate) bool { return x.pair.Leaf == o.pair.Leaf }) {
			s.retired = append(s.retired, o.pair) // a handshake may be at work with the old key
		}
	}
	b.rows.Store(&now)
	b.unusable = unusable
	if slices.ContainsFunc(notices, func(n Notice) bool { return n.Kind != NotRenewed }) {
		s.generation.Add(1)
	}
	return notices, nil
}

func sameChain(a, b tls.Certificate) bool {
	return slices.EqualFunc(a.Certificate, b.Certificate, slices.Equal[[]byte])
}

// choose returns the certificate for who calls name at the address local, or nil.
func (b *boundCertificates) choose(name string, local net.Addr) *tls.Certificate {
	var ip netip.Addr
	if t, ok := local.(*net.TCPAddr); ok {
		ip = t.AddrPort().Addr().Unmap()
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	rows, best, rank := *b.rows.Load(), -1, 0
	for i, row := range rows {
		if r := row.Endpoint.rank(name, ip); r > rank {
			best, rank = i, r
		}
	}
	if best < 0 {
		return nil
	}
	return &rows[best].pair
}

// getBoundCertificate is the GetCertificate of a tls.Config. When there is none for the
// name, it returns none, which crypto/tls tells the client as an unrecognised name.
func (s *Source) getBoundCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return s.bound.choose(hello.ServerName, hello.Conn.LocalAddr()), nil
}

// capBound keeps to versions of TLS that the key of the chosen certificate can sign for.
func (s *Source) capBound(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	pair := s.bound.choose(hello.ServerName, hello.Conn.LocalAddr())
	if pair == nil {
		return nil, nil
	}
	k, ok := pair.PrivateKey.(interface{ MaxVersion() uint16 })
	if !ok {
		return nil, nil
	}
	c := s.Config()
	c.GetConfigForClient = nil
	if c.MaxVersion == 0 || c.MaxVersion > k.MaxVersion() {
		c.MaxVersion = k.MaxVersion()
	}
	return c, nil
}

// Waiting reports whether the certificates come from a binding table in which nothing is
// bound to the server's endpoint: its port is to be closed until [Source.Watch] tells of a
// [Bound] one.
func (s *Source) Waiting() bool { return s.bound != nil && len(*s.bound.rows.Load()) == 0 }

// Serves reports whether a client that calls name at the address local is still to be
// served: with a binding table, while there is a certificate for it, and else always. A
// server closes a connection of which that isn't true when it has answered what it took.
func (s *Source) Serves(name string, local net.Addr) bool {
	return s.bound == nil || s.bound.choose(name, local) != nil
}
