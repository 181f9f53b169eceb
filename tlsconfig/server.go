package tlsconfig

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// A Server is the TLS side of a port that listens. The zero value lacks a certificate.
type Server struct {
	// Certificates are what the server shows. The first whose names fit what the client
	// calls is chosen, and the first of all where none fits or the client says no name.
	// In a file one stands for a list of one.
	Certificates []Certificate `yaml:"certificate"`
	// ClientAuth says whether clients are asked for a certificate. The default is that
	// they aren't.
	ClientAuth ClientAuth `yaml:"client-certificate"`
	// Trust says which client certificates are accepted.
	Trust Trust `yaml:"trust"`
	// MinVersion and MaxVersion bound the version of TLS. The defaults are 1.2 and the
	// newest.
	MinVersion Version `yaml:"min-version"`
	MaxVersion Version `yaml:"max-version"`
	// CipherSuites are those of TLS 1.2 that may be spoken. The default is Go's own choice.
	CipherSuites []CipherSuite `yaml:"cipher-suites"`
	// Endpoint is the address that is listened on, host and port. It is needed where the
	// certificate is Bound, and is set by the receivers of Ladle themselves.
	Endpoint string `yaml:"-"`
}

// ClientAuth says whether a server asks its clients for a certificate.
type ClientAuth int

const (
	// ClientNone asks for none. In a file: none.
	ClientNone ClientAuth = iota
	// ClientRequest asks for one and accepts clients without; one that is shown must be
	// trusted. In a file: request.
	ClientRequest
	// ClientRequire accepts only clients with a trusted certificate. In a file: require.
	ClientRequire
)

var clientAuthNames = []string{"none", "request", "require"}

func (c ClientAuth) String() string {
	if c < 0 || int(c) >= len(clientAuthNames) {
		return fmt.Sprintf("client-certificate %d", int(c))
	}
	return clientAuthNames[c]
}

// UnmarshalText reads "none", "request" or "require".
func (c *ClientAuth) UnmarshalText(text []byte) error {
	for i, name := range clientAuthNames {
		if name == string(text) {
			*c = ClientAuth(i)
			return nil
		}
	}
	return fmt.Errorf("%q is no way to treat client certificates: write none, request or require", text)
}

// Validate reads the files and reports every mistake, as [FieldError]s.
func (s Server) Validate() error {
	src, err := s.compile()
	if src != nil {
		err = src.Close()
	}
	return err
}

// Open reads the certificates and returns them as a [Source], which the caller closes.
// Every mistake shows here, as [FieldError]s. The end of ctx ends nothing that is quick,
// and reading files is.
func (s Server) Open(ctx context.Context) (*Source, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	src, err := s.compile()
	if err != nil {
		return nil, err
	}
	for i, c := range s.Certificates {
		if c.Issuer == nil {
			continue
		}
		issued, err := c.Issuer.Open(ctx)
		if err != nil {
			return nil, errors.Join(inField(fmt.Sprintf("certificate[%d]", i), err), src.Close())
		}
		src.issued = append(src.issued, issued)
		src.config.GetConfigForClient = src.forACME
	}
	return src, nil
}

func (s Server) compile() (*Source, error) {
	src := new(Source)
	errs := []error{validVersions(s.MinVersion, s.MaxVersion), validSuites(s.CipherSuites, s.MinVersion)}
	if len(s.Certificates) == 0 {
		errs = append(errs, field("certificate", errors.New("missing: a server needs a certificate and its key")))
	}
	errs = append(errs, src.load(s.Certificates, ForServer), s.compileBound(src))
	v, err := s.Trust.compile(true)
	errs = append(errs, inField("trust", err))
	if s.ClientAuth == ClientNone && !s.Trust.empty() {
		errs = append(errs, field("trust", errors.New("is about client certificates, and none is asked for: set client-certificate")))
	}
	if s.ClientAuth != ClientNone && s.Trust.empty() {
		errs = append(errs, field("client-certificate", errors.New("nobody is trusted: name the clients' authority as trust.ca, or their certificates as trust.thumbprints")))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, errors.Join(err, src.Close())
	}
	if err := src.loadStaples(time.Now()); err != nil {
		return nil, errors.Join(err, src.Close())
	}
	src.warnAbout(s.Trust)
	src.warnOfThumbprints(s.Certificates, s.Trust)
	c := &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return src.withStaple(src.getCertificate(hello))
	}}
	if src.bound != nil {
		c.GetCertificate, c.GetConfigForClient = src.getBoundCertificate, src.capBound
	}
	// A session that was begun under another certificate isn't resumed: its peer would go on
	// with one that was replaced or unbound.
	c.WrapSession, c.UnwrapSession = src.wrapSession, src.unwrapSession
	setVersions(c, s.MinVersion, s.MaxVersion)
	setSuites(c, s.CipherSuites)
	src.capVersion(c)
	c.SessionTicketsDisabled = s.Trust.OCSP != OCSPNone
	switch s.ClientAuth {
	case ClientRequest:
		c.ClientAuth = tls.RequestClientCert
		c.VerifyConnection = func(cs tls.ConnectionState) error {
			if len(cs.PeerCertificates) == 0 {
				return nil
			}
			return v.verify(cs)
		}
	case ClientRequire:
		c.ClientAuth = tls.RequireAnyClientCert
		c.VerifyConnection = v.verify
	}
	if v.roots != nil {
		c.ClientCAs = v.roots // tells clients which certificate to show
	}
	src.config = c
	return src, nil
}

// compileBound opens the table that the certificates come from, if they do.
func (s Server) compileBound(src *Source) error {
	for i, c := range s.Certificates {
		switch {
		case c.Bound == "":
		case len(s.Certificates) > 1:
			return field(fmt.Sprintf("certificate[%d].bound", i), errors.New("the table has all the certificates of the port: bind the others, too"))
		default:
			err := c.validateBound()
			if err == nil {
				err = src.openBound(c.Bound, s.Endpoint)
			}
			return inField(fmt.Sprintf("certificate[%d]", i), err)
		}
	}
	return nil
}

// wrapSession notes in a session under which certificates it was begun.
func (s *Source) wrapSession(cs tls.ConnectionState, ss *tls.SessionState) ([]byte, error) {
	ss.Extra = append(ss.Extra, binary.BigEndian.AppendUint64([]byte(sessionMark), s.generation.Load()))
	return s.config.EncryptTicket(cs, ss)
}

func (s *Source) unwrapSession(identity []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
	ss, err := s.config.DecryptTicket(identity, cs)
	if err != nil || ss == nil {
		return nil, err
	}
	for _, extra := range ss.Extra {
		if generation, ok := bytes.CutPrefix(extra, []byte(sessionMark)); ok && len(generation) == 8 && binary.BigEndian.Uint64(generation) == s.generation.Load() {
			return ss, nil
		}
	}
	return nil, nil
}

// sessionMark tells our note in a session from those of others.
const sessionMark = "ladle:"

// inField returns err with name in front of the field of each error in it.
func inField(name string, err error) error {
	if err == nil {
		return nil
	}
	var all []error
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			all = append(all, inField(name, e))
		}
		return errors.Join(all...)
	}
	if f, ok := err.(*FieldError); ok {
		return field(name+"."+f.Field, f.Err)
	}
	return field(name, err)
}
