package tlsconfig_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ladlehq/ladle/tlsconfig"
)

func pins(certs ...identity) (all []tlsconfig.Thumbprint) {
	for _, c := range certs {
		all = append(all, tlsconfig.SHA256(c.cert))
	}
	return all
}

// The three knobs, from a client's side.
func TestTrustOfServers(t *testing.T) {
	t.Parallel()
	root := issue(t, "Root", nil, authority)
	issued := issue(t, "Issued", &root, func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)} })
	home, other := issue(t, "Home", nil, nil), issue(t, "Other", nil, nil)
	expired := issue(t, "Expired", nil, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	early := issue(t, "Early", nil, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) })
	clientOnly := issue(t, "ClientOnly", &root, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	rootFile, homeFile, derFile := file(t, root.certPEM()), file(t, home.certPEM()), file(t, root.cert.Raw)
	ca := tlsconfig.Trust{CAFiles: []string{rootFile}}
	for name, c := range map[string]struct {
		server identity
		trust  tlsconfig.Trust
		name   string
		is     error
		text   string
	}{
		"system, home-made":       {home, tlsconfig.Trust{}, "localhost", tlsconfig.ErrNotTrusted, "unknown authority"},
		"system said, home-made":  {home, tlsconfig.Trust{System: true}, "localhost", tlsconfig.ErrNotTrusted, "pin its thumbprint, SHA-256 " + string(tlsconfig.SHA256(home.cert))},
		"CA":                      {issued, ca, "localhost", nil, ""},
		"CA in DER":               {issued, tlsconfig.Trust{CAFiles: []string{derFile}}, "localhost", nil, ""},
		"CA, by address":          {issued, ca, "127.0.0.1", nil, ""},
		"CA, another name":        {issued, ca, "lab.example", tlsconfig.ErrNotTrusted, "it is for localhost, 127.0.0.1, and \"lab.example\" was called"},
		"CA, another address":     {issued, ca, "127.0.0.2", tlsconfig.ErrNotTrusted, "was called"},
		"CA, any name":            {issued, tlsconfig.Trust{CAFiles: []string{rootFile}, AnyName: true}, "lab.example", nil, ""},
		"CA, no name":             {issued, ca, "", tlsconfig.ErrNotTrusted, "set server-name"},
		"CA and system":           {issued, tlsconfig.Trust{System: true, CAFiles: []string{rootFile}}, "localhost", nil, ""},
		"CA, for clients only":    {clientOnly, ca, "localhost", tlsconfig.ErrNotTrusted, "key usage"},
		"another CA":              {home, ca, "localhost", tlsconfig.ErrNotTrusted, "unknown authority"},
		"CA beside an old key":    {issued, tlsconfig.Trust{CAFiles: []string{file(t, []byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"), root.certPEM())}}, "localhost", nil, ""},
		"certificate as CA":       {home, tlsconfig.Trust{CAFiles: []string{homeFile}}, "localhost", nil, ""},
		"pin":                     {home, tlsconfig.Trust{Thumbprints: pins(home)}, "anything", nil, ""},
		"pin by SHA-1":            {home, tlsconfig.Trust{Thumbprints: []tlsconfig.Thumbprint{tlsconfig.SHA1(home.cert)}}, "", nil, ""},
		"two pins, for roll-over": {home, tlsconfig.Trust{Thumbprints: pins(other, home)}, "", nil, ""},
		"another pin":             {home, tlsconfig.Trust{Thumbprints: pins(other)}, "localhost", tlsconfig.ErrNotTrusted, "it has SHA-256 " + string(tlsconfig.SHA256(home.cert))},
		"pin of the CA":           {issued, tlsconfig.Trust{Thumbprints: pins(root)}, "localhost", tlsconfig.ErrNotTrusted, "pinned"},
		"pin, expired":            {expired, tlsconfig.Trust{Thumbprints: pins(expired)}, "", tlsconfig.ErrExpired, "on " + expired.cert.NotAfter.Format(time.DateOnly)},
		"pin, not yet valid":      {early, tlsconfig.Trust{Thumbprints: pins(early)}, "", tlsconfig.ErrNotYetValid, "is the clock right?"},
		"CA, expired":             {expired, tlsconfig.Trust{CAFiles: []string{file(t, expired.certPEM())}}, "localhost", tlsconfig.ErrExpired, ""},
		"both":                    {issued, tlsconfig.Trust{CAFiles: []string{rootFile}, Thumbprints: pins(issued)}, "localhost", nil, ""},
		"both, another pin":       {issued, tlsconfig.Trust{CAFiles: []string{rootFile}, Thumbprints: pins(home)}, "localhost", tlsconfig.ErrNotTrusted, "pinned"},
		"both, another CA":        {home, tlsconfig.Trust{CAFiles: []string{rootFile}, Thumbprints: pins(home)}, "localhost", tlsconfig.ErrNotTrusted, "unknown authority"},
		"both, another name":      {issued, tlsconfig.Trust{CAFiles: []string{rootFile}, Thumbprints: pins(issued)}, "lab.example", tlsconfig.ErrNotTrusted, "was called"},
		"insecure":                {home, tlsconfig.Trust{Insecure: true}, "", nil, ""},
	} {
		server := mustOpen(t, tlsconfig.Server{Certificates: []tlsconfig.Certificate{c.server.bundle(t)}})
		client := mustOpen(t, tlsconfig.Client{Trust: c.trust, ServerName: c.name})
		_, _, err := handshake(t, server, client, 1)
		if c.is == nil && err != nil || c.is != nil && (!errors.Is(err, c.is) || !strings.Contains(err.Error(), c.text)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The host that is called is what a certificate must be for when nothing else is set.
func TestServerNameIsTheHostThatIsCalled(t *testing.T) {
	t.Parallel()
	issued := issue(t, "Issued", nil, func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)} })
	server := mustOpen(t, tlsconfig.Server{Certificates: []tlsconfig.Certificate{issued.bundle(t)}})
	for _, c := range []struct {
		own, host string
		ok        bool
	}{
		{"", "localhost", true}, {"", "127.0.0.1", true}, {"", "127.0.0.2", false}, {"", "lab.example", false}, {"localhost", "lab.example", true}, {"lab.example", "localhost", false},
	} {
		s, err := tlsconfig.Client{Trust: tlsconfig.Trust{CAFiles: []string{file(t, issued.certPEM())}}, ServerName: c.own}.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := handshake(t, server, s.ConfigFor(c.host), 1); (err == nil) != c.ok {
			t.Errorf("%q, called as %s: %v", c.own, c.host, err)
		}
	}
}

// Trust that is withdrawn holds for a session that is resumed.
func TestTrustOnResumedSessions(t *testing.T) {
	t.Parallel()
	home, other := issue(t, "Home", nil, nil), issue(t, "Other", nil, nil)
	server := mustOpen(t, tlsconfig.Server{Certificates: []tlsconfig.Certificate{home.bundle(t)}})
	trusting := mustOpen(t, tlsconfig.Client{Trust: tlsconfig.Trust{Thumbprints: pins(home)}, ServerName: "localhost"})
	state, s, c := handshake(t, server, trusting, 2)
	if s != nil || c != nil || !state.DidResume {
		t.Fatalf("resumed %v, %v, %v", state.DidResume, s, c)
	}
	strict := mustOpen(t, tlsconfig.Client{Trust: tlsconfig.Trust{Thumbprints: pins(other)}, ServerName: "localhost"})
	strict.ClientSessionCache = trusting.ClientSessionCache
	if _, _, err := handshake(t, server, strict, 1); !errors.Is(err, tlsconfig.ErrNotTrusted) {
		t.Errorf("a resumed session is not checked: %v", err)
	}
}

func TestTrustOfClients(t *testing.T) {
	t.Parallel()
	root := issue(t, "Root", nil, authority)
	server, known, unknown := issue(t, "Server", nil, nil), issue(t, "Known", &root, nil), issue(t, "Unknown", nil, nil)
	serverOnly := issue(t, "ServerOnly", &root, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	byCA := tlsconfig.Trust{CAFiles: []string{file(t, root.certPEM())}}
	byPin := tlsconfig.Trust{Thumbprints: pins(known)}
	for name, c := range map[string]struct {
		auth  tlsconfig.ClientAuth
		trust tlsconfig.Trust
		shown *identity
		ok    bool
	}{
		"none asked, none shown":   {tlsconfig.ClientNone, tlsconfig.Trust{}, nil, true},
		"none asked, one shown":    {tlsconfig.ClientNone, tlsconfig.Trust{}, &unknown, true},
		"requested, none shown":    {tlsconfig.ClientRequest, byCA, nil, true},
		"requested, known":         {tlsconfig.ClientRequest, byCA, &known, true},
		"requested, unknown":       {tlsconfig.ClientRequest, byCA, &unknown, false},
		"required, none":           {tlsconfig.ClientRequire, byCA, nil, false},
		"required, known by CA":    {tlsconfig.ClientRequire, byCA, &known, true},
		"required, known by pin":   {tlsconfig.ClientRequire, byPin, &known, true},
		"required, unknown by CA":  {tlsconfig.ClientRequire, byCA, &unknown, false},
		"required, unknown by pin": {tlsconfig.ClientRequire, byPin, &unknown, false},
		"required, for servers":    {tlsconfig.ClientRequire, byCA, &serverOnly, false},
	} {
		s := mustOpen(t, tlsconfig.Server{Certificates: []tlsconfig.Certificate{server.bundle(t)}, ClientAuth: c.auth, Trust: c.trust})
		client := tlsconfig.Client{Trust: tlsconfig.Trust{Thumbprints: pins(server)}}
		if c.shown != nil {
			client.Certificates = []tlsconfig.Certificate{c.shown.bundle(t)}
		}
		_, err, clientErr := handshake(t, s, mustOpen(t, client), 1)
		if (err == nil && clientErr == nil) != c.ok {
			t.Errorf("%s: %v, %v", name, err, clientErr)
		}
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	home := issue(t, "Home", nil, nil)
	for name, c := range map[string]struct {
		server tlsconfig.Server
		client *tls.Config
		want   uint16
	}{
		"newest":       {tlsconfig.Server{}, &tls.Config{}, tls.VersionTLS13},
		"1.2":          {tlsconfig.Server{}, &tls.Config{MaxVersion: tls.VersionTLS12}, tls.VersionTLS12},
		"1.1":          {tlsconfig.Server{}, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, 0},
		"exactly 1.2":  {tlsconfig.Server{MaxVersion: tlsconfig.TLS12}, &tls.Config{MinVersion: tls.VersionTLS13}, 0},
		"1.3 at least": {tlsconfig.Server{MinVersion: tlsconfig.TLS13}, &tls.Config{MaxVersion: tls.VersionTLS12}, 0},
	} {
		c.server.Certificates = []tlsconfig.Certificate{home.bundle(t)}
		c.client.InsecureSkipVerify = true
		state, _, err := handshake(t, mustOpen(t, c.server), c.client, 1)
		if (err == nil) != (c.want != 0) || err == nil && state.Version != c.want {
			t.Errorf("%s: %s, %v", name, tls.VersionName(state.Version), err)
		}
	}
}

func TestSeveralCertificates(t *testing.T) {
	t.Parallel()
	named := func(names ...string) identity {
		return issue(t, names[0], nil, func(c *x509.Certificate) { c.DNSNames = names })
	}
	first, lab, wild := named("first.example"), named("lab.example"), named("*.wild.example")
	server := mustOpen(t, tlsconfig.Server{Certificates: []tlsconfig.Certificate{first.bundle(t), lab.bundle(t), wild.bundle(t)}})
	for name, want := range map[string]identity{"lab.example": lab, "a.wild.example": wild, "first.example": first, "other.example": first, "": first} {
		state, _, err := handshake(t, server, &tls.Config{ServerName: name, InsecureSkipVerify: true}, 1)
		if err != nil || !state.PeerCertificates[0].Equal(want.cert) {
			t.Errorf("%q: %v, %v", name, state.PeerCertificates[0].Subject, err)
		}
	}
}

func TestSettingsMistakes(t *testing.T) {
	t.Parallel()
	home := issue(t, "Home", nil, nil)
	good := []tlsconfig.Certificate{home.bundle(t)}
	for name, c := range map[string]struct {
		settings interface{ Validate() error }
		fields   []string
	}{
		"server without certificate": {tlsconfig.Server{}, []string{"certificate"}},
		"several at once": {tlsconfig.Server{Certificates: []tlsconfig.Certificate{{}, {File: "missing"}}, MinVersion: 1, ClientAuth: tlsconfig.ClientRequire},
			[]string{"min-version", "certificate[0].file", "certificate[1].file", "client-certificate"}},
		"trust without asking": {tlsconfig.Server{Certificates: good, Trust: tlsconfig.Trust{Thumbprints: pins(home)}}, []string{"trust"}},
		"versions crossed":     {tlsconfig.Client{MinVersion: tlsconfig.TLS13, MaxVersion: tlsconfig.TLS12}, []string{"max-version"}},
		"trust": {tlsconfig.Client{Trust: tlsconfig.Trust{Insecure: true, CAFiles: []string{"missing", file(t, []byte("no certificate"))}, Thumbprints: []tlsconfig.Thumbprint{"12"}}},
			[]string{"trust.insecure", "trust.thumbprints[0]", "trust.ca[0]", "trust.ca[1]"}},
		"key as CA": {tlsconfig.Trust{CAFiles: []string{file(t, home.keyPEM(t))}}, []string{"ca[0]"}},
	} {
		if got := fieldsOf(c.settings.Validate()); !slices.Equal(got, c.fields) {
			t.Errorf("%s: %q, want %q", name, got, c.fields)
		}
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	at := func(from, to time.Duration) tlsconfig.Server {
		i := issue(t, "W", nil, func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(from), time.Now().Add(to)
		})
		return tlsconfig.Server{Certificates: []tlsconfig.Certificate{i.bundle(t)}}
	}
	const day = 24 * time.Hour
	for _, c := range []struct {
		settings interface {
			Open(ctx) (*tlsconfig.Source, error)
		}
		want string
	}{
		{at(-day, 100*day), ""},
		{at(-day, 20*day+time.Hour), "ends in 20 days"},
		{at(-2*day, -day), "has expired on"},
		{at(day, 50*day), "is not valid yet before"},
		{tlsconfig.Client{Trust: tlsconfig.Trust{Insecure: true}}, "INSECURE"},
	} {
		s, err := c.settings.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(s.Warnings(), "\n"); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
