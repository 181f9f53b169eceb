package tlsconfig

import (
	"context"
	"crypto/tls"
	"crypto/x509"
)

// An Issuer gets certificates by itself, from an authority that gives them on request.
// Package acme has one. It stands in a server's [Certificate] in place of a file.
type Issuer interface {
	// Validate reports every mistake in the settings, as [FieldError]s, and acquires
	// nothing.
	Validate() error
	// Open takes what is needed to get certificates, such as a port, and gets none yet: the
	// authority may want to look at the server's own port, which isn't open by then.
	Open(ctx context.Context) (Issued, error)
}

// Issued holds the certificates of an [Issuer] that is open. Its methods are safe for
// concurrent use.
type Issued interface {
	// Names are the host names that there are certificates for, in small letters.
	Names() []string
	// GetCertificate is that of a [tls.Config]. It is called for the Names, and for
	// handshakes that the authority makes (acme-tls/1, RFC 8737). It may block while a
	// certificate is being got.
	GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// Leaves are the certificates that there are by now.
	Leaves() []*x509.Certificate
	// Watch gets certificates and renews them until ctx ends. It tells notify of each that
	// it has got ([Renewed]), and of each that it couldn't get ([NotRenewed]).
	Watch(ctx context.Context, notify func(Notice))
	// Close releases what Open has taken, after Watch has returned. It may be called again.
	Close() error
}

// protoACME is the application protocol by which an authority asks for its proof.
const protoACME = "acme-tls/1"

// forACME returns the settings for a handshake that an authority makes, and nil for any
// other. The protocol is offered to nobody else, since who offers one refuses others.
func (s *Source) forACME(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	if len(hello.SupportedProtos) != 1 || hello.SupportedProtos[0] != protoACME {
		return nil, nil
	}
	c := s.Config()
	c.GetConfigForClient, c.NextProtos = nil, []string{protoACME}
	c.ClientAuth, c.VerifyConnection = tls.NoClientCert, nil // the authority has none to show
	return c, nil
}
