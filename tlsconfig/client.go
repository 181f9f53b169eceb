package tlsconfig

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"
)

// A Client is the TLS side of a sender. The zero value trusts the system's authorities
// and shows no certificate.
type Client struct {
	// Certificates are what the client shows to a server that asks. The first that the
	// server's list of authorities allows is chosen. In a file one stands for a list of
	// one.
	Certificates []Certificate `yaml:"certificate"`
	// Trust says which servers are believed.
	Trust Trust `yaml:"trust"`
	// ServerName is the name or the IP address that the server's certificate must be for.
	// The default is the host that is called: see [Source.ConfigFor].
	ServerName string `yaml:"server-name"`
	// MinVersion and MaxVersion bound the version of TLS. The defaults are 1.2 and the
	// newest.
	MinVersion Version `yaml:"min-version"`
	MaxVersion Version `yaml:"max-version"`
	// CipherSuites are those of TLS 1.2 that may be spoken. The default is Go's own choice.
	CipherSuites []CipherSuite `yaml:"cipher-suites"`
}

// Validate reads the files and reports every mistake, as [FieldError]s.
func (c Client) Validate() error {
	src, err := c.compile()
	if src != nil {
		err = src.Close()
	}
	return err
}

// Open reads the certificates and returns them as a [Source], which the caller closes.
// Every mistake shows here, as [FieldError]s.
func (c Client) Open(ctx context.Context) (*Source, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return c.compile()
}

func (c Client) compile() (*Source, error) {
	src := new(Source)
	v, err := c.Trust.compile(false)
	for i, x := range c.Certificates {
		if x.Issuer != nil || x.Bound != "" {
			err = errors.Join(err, field(fmt.Sprintf("certificate[%d]", i), errors.New("issuers and binding tables have certificates of servers, and this is a client: name a file, or a certificate of the Windows store")))
			c.Certificates = nil
		}
	}
	err = errors.Join(validVersions(c.MinVersion, c.MaxVersion), validSuites(c.CipherSuites, c.MinVersion), src.load(c.Certificates, ForClient), inField("trust", err))
	if err != nil {
		return nil, errors.Join(err, src.Close())
	}
	if err := src.loadStaples(time.Now()); err != nil {
		return nil, errors.Join(err, src.Close())
	}
	v.name = c.ServerName
	src.verifier = v
	src.warnAbout(c.Trust)
	src.warnOfThumbprints(c.Certificates, c.Trust)
	config := &tls.Config{
		ServerName: c.ServerName,
		// crypto/tls's own check knows no pins; VerifyConnection does all of it, on
		// resumed sessions, too.
		InsecureSkipVerify: true,
		VerifyConnection:   v.verify,
		ClientSessionCache: tls.NewLRUClientSessionCache(64),
	}
	if c.Trust.OCSP != OCSPNone {
		config.ClientSessionCache = nil
	}
	if len(c.Certificates) > 0 {
		config.GetClientCertificate = func(r *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return src.withStaple(src.getClientCertificate(r))
		}
	}
	setVersions(config, c.MinVersion, c.MaxVersion)
	setSuites(config, c.CipherSuites)
	src.capVersion(config)
	src.config = config
	return src, nil
}
