package tlsconfig

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
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
	errs = append(errs, src.load(s.Certificates, ForServer))
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
	src.warnAbout(s.Trust)
	c := &tls.Config{GetCertificate: src.getCertificate}
	setVersions(c, s.MinVersion, s.MaxVersion)
	setSuites(c, s.CipherSuites)
	src.capVersion(c)
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
