package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ladlehq/ladle/tlsconfig"
	"golang.org/x/term"
)

// certificateCommands are what can be done with certificates.
var certificateCommands = []command{
	{"create", "create [flags] FILE", "make a home-made certificate: a PFX file, and beside it the certificate alone for partners", createCertificate},
	{"show", "show [flags] FILE", "say what is in a certificate file, and what partners will have against it", showCertificate},
	{"export", "export [flags] FROM TO", "write a certificate in another form, which the name TO says: .pfx with its key, .pem, .crt or .cer without", exportCertificate},
	{"import", "import [flags] FILE", "put a certificate and its key into the Windows certificate store", importCertificate},
	{"bind", "bind [flags] ENDPOINT [FILE]", "bind a certificate to a port (:8443), or to a name or an address on it (lab.example:8443)", bindCertificate},
	{"unbind", "unbind [flags] ENDPOINT", "remove the certificate from a port or a name; the last one closes the port", unbindCertificate},
	{"list", "list [flags]", "list what is bound, or what is in the Windows certificate store", listCertificates},
	{"check", "check [flags] ADDRESS", "connect as a partner would, and say what is seen", checkAddress},
}

// certificates makes, binds and checks certificates.
func certificates(ctx context.Context, c *call) error {
	if len(c.args) > 0 {
		for _, cmd := range certificateCommands {
			if c.args[0] == cmd.name {
				c.args = c.args[1:]
				c.flags.Usage = usageOf(c.flags, "certificates "+cmd.usage, cmd.about)
				return cmd.run(ctx, c)
			}
		}
	}
	c.flags.Usage = func() {
		fmt.Fprintln(c.stderr, "usage: ladle certificates COMMAND ...")
		printCommands(c.stderr, certificateCommands)
	}
	if len(c.args) > 0 && strings.HasPrefix(c.args[0], "-") {
		return c.parse(1, -1) // for -h
	}
	if len(c.args) > 0 {
		fmt.Fprintf(c.stderr, "ladle certificates: there is no command %q\n", c.args[0])
	}
	c.flags.Usage()
	return errUsage
}

// passwordEnvironment holds a password for those who have no terminal.
const passwordEnvironment = "LADLE_PASSWORD"

// password takes the password of a file, in this order, from a file that is named, from
// the environment, or from somebody at the terminal.
func password(file string, stderr io.Writer) (tlsconfig.Secret, error) {
	if file != "" {
		raw, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		return tlsconfig.Secret(strings.TrimRight(string(raw), "\r\n")), nil
	}
	if value, ok := os.LookupEnv(passwordEnvironment); ok {
		return tlsconfig.Secret(value), nil
	}
	in := int(os.Stdin.Fd())
	if !term.IsTerminal(in) {
		return "", nil
	}
	fmt.Fprint(stderr, "password: ")
	typed, err := term.ReadPassword(in)
	fmt.Fprintln(stderr)
	return tlsconfig.Secret(typed), err
}

// createCertificate makes a home-made one: a PFX file for the receiver, and beside it the
// certificate alone for partners.
func createCertificate(_ context.Context, c *call) error {
	name := c.flags.String("name", "Ladle", "the friendly `name`")
	hosts := c.flags.String("hosts", "localhost,127.0.0.1", "the host `names` and addresses that it is for, with commas between")
	days := c.flags.Int("days", 730, "how many `days` it is valid")
	passwordFile := c.flags.String("password-file", "", "the `file` that has the password; else "+passwordEnvironment+" or the terminal")
	if err := c.parse(1, 1); err != nil {
		return err
	}
	const mostDays = 36_500
	if *days < 1 || *days > mostDays {
		return fmt.Errorf("-days: %d: a certificate is valid for 1 to %d days", *days, mostDays)
	}
	names := strings.Split(*hosts, ",")
	for i, n := range names {
		names[i] = strings.TrimSpace(n)
	}
	secret, err := password(*passwordFile, c.stderr)
	if err != nil {
		return err
	}
	pair, err := tlsconfig.SelfSigned{FriendlyName: *name, Names: names, ValidFor: time.Duration(*days) * 24 * time.Hour}.Create()
	if err != nil {
		return err
	}
	pfx, err := pair.PFX(secret)
	if err != nil {
		return fmt.Errorf("%w; name a -password-file, or set %s", err, passwordEnvironment)
	}
	file := c.args[0]
	public := file
	if isPFX(file) {
		public = strings.TrimSuffix(file, filepath.Ext(file))
	}
	public += ".crt"
	if err := tlsconfig.WriteFile(file, pfx); err != nil {
		return err
	}
	if err := tlsconfig.WriteFile(public, pair.PEM()); err != nil {
		return errors.Join(err, os.Remove(file)) // one without the other is of no use
	}
	fmt.Fprintf(c.stdout, "%s: certificate and private key\n%s: the certificate alone, for partners\nSHA-256 %s\nSHA-1   %s\n", file, public, tlsconfig.SHA256(pair.Certificate), tlsconfig.SHA1(pair.Certificate))
	return nil
}

// isPFX reports whether a file is a PFX file by its name.
func isPFX(file string) bool {
	return slices.Contains([]string{".pfx", ".p12"}, strings.ToLower(filepath.Ext(file)))
}

// described is a certificate in JSON.
type described struct {
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	Names     []string  `json:"names,omitempty"`
	SHA256    string    `json:"sha256"`
	SHA1      string    `json:"sha1"`
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
}

func describe(c *x509.Certificate) described {
	names := c.DNSNames
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return described{c.Subject.String(), c.Issuer.String(), names, tlsconfig.SHA256(c).String(), tlsconfig.SHA1(c).String(), c.NotBefore, c.NotAfter}
}

func texts(errs []error) (all []string) {
	for _, err := range errs {
		all = append(all, err.Error())
	}
	return all
}

// showCertificate says what is in a certificate file, and what partners will have against
// it.
func showCertificate(_ context.Context, c *call) error {
	keyFile := c.flags.String("key", "", "the `file` that has the private key")
	passwordFile := c.flags.String("password-file", "", "the `file` that has the password; else "+passwordEnvironment+" or the terminal")
	friendly := c.flags.String("name", "", "the friendly `name` of one of several keys")
	asJSON := c.flags.Bool("json", false, "print JSON")
	if err := c.parse(1, 1); err != nil {
		return err
	}
	certificate := tlsconfig.Certificate{File: c.args[0], KeyFile: *keyFile, FriendlyName: *friendly}
	pair, err := certificate.Load()
	if errors.Is(err, tlsconfig.ErrPasswordRequired) {
		if certificate.Password, err = password(*passwordFile, c.stderr); err != nil {
			return err
		}
		pair, err = certificate.Load()
	}
	if err != nil {
		return err
	}
	problems := tlsconfig.Problems(pair.Leaf, time.Now(), tlsconfig.ForServer)
	if *asJSON {
		err = json.NewEncoder(c.stdout).Encode(struct {
			described
			Chain    int      `json:"chain"`
			Problems []string `json:"problems,omitempty"`
		}{describe(pair.Leaf), len(pair.Certificate), texts(problems)})
	} else {
		d := describe(pair.Leaf)
		fmt.Fprintf(c.stdout, "%s, issued by %s\nvalid from %s to %s\nfor %s\nSHA-256 %s\nSHA-1   %s\n%d in the chain, with private key\n", d.Subject, d.Issuer,
			d.NotBefore.Format(time.DateOnly), d.NotAfter.Format(time.DateOnly), strings.Join(d.Names, ", "), d.SHA256, d.SHA1, len(pair.Certificate))
		for _, p := range problems {
			fmt.Fprintf(c.stdout, "problem: %v\n", p)
		}
	}
	if err == nil && len(problems) > 0 {
		err = errReported
	}
	return err
}

// checkAddress connects as a partner would and says what it sees.
func checkAddress(ctx context.Context, c *call) error {
	ca := c.flags.String("ca", "", "trust the certification authority, or the very certificate, in this PEM `file`")
	pin := c.flags.String("pin", "", "trust the certificate with this `thumbprint`, and no other")
	name := c.flags.String("server-name", "", "the `name` that the certificate must be for; else the host of the address")
	asJSON := c.flags.Bool("json", false, "print JSON")
	if err := c.parse(1, 1); err != nil {
		return err
	}
	p := tlsconfig.Probe{ServerName: *name}
	if *ca != "" {
		p.Trust.CAFiles = []string{*ca}
	}
	if *pin != "" {
		var t tlsconfig.Thumbprint
		if err := t.UnmarshalText([]byte(*pin)); err != nil {
			return fmt.Errorf("-pin: %w", err)
		}
		if removed := t.Removed(); removed != "" {
			fmt.Fprintf(c.stderr, "-pin: %s\n", removed)
		}
		p.Trust.Thumbprints = []tlsconfig.Thumbprint{t}
	}
	r := p.Run(ctx, c.args[0])
	if *asJSON {
		var chain []described
		for _, x := range r.Chain {
			chain = append(chain, describe(x))
		}
		if err := json.NewEncoder(c.stdout).Encode(struct {
			Address           string      `json:"address"`
			Speaks            string      `json:"speaks"`
			Versions          []string    `json:"versions,omitempty"`
			Chain             []described `json:"chain,omitempty"`
			DaysLeft          int         `json:"daysLeft"`
			Trusted           bool        `json:"trusted"`
			BySystem          bool        `json:"bySystem"`
			NameMatches       bool        `json:"nameMatches"`
			ClientCertificate bool        `json:"clientCertificate"`
			ClientRequired    bool        `json:"clientRequired"`
			Problems          []string    `json:"problems,omitempty"`
		}{r.Address, r.Speaks, r.Versions, chain, r.DaysLeft, r.Trusted, r.BySystem, r.NameMatches, r.ClientCertificate, r.ClientRequired, texts(r.Problems)}); err != nil {
			return err
		}
	} else {
		fmt.Fprint(c.stdout, r)
	}
	if len(r.Problems) > 0 {
		return errReported
	}
	return nil
}

// exportCertificate writes a certificate of a file, or one of the Windows store, in another
// form.
func exportCertificate(_ context.Context, c *call) error {
	store := storeFlags(c.flags)
	from := tlsconfig.Certificate{}
	c.flags.StringVar(&from.KeyFile, "key", "", "the `file` that has the private key, when FROM hasn't")
	c.flags.StringVar(&from.FriendlyName, "name", "", "the friendly `name` of one of several keys in FROM, and of what is written")
	thumbprint := c.flags.String("thumbprint", "", "in place of FROM: the certificate of the Windows store with this `thumbprint`, without its key")
	passwordFile := c.flags.String("password-file", "", "the `file` that has the password of FROM; else "+passwordEnvironment+" or the terminal")
	newPasswordFile := c.flags.String("new-password-file", "", "the `file` that has the password of TO; else it is the one of FROM")
	withKey := c.flags.Bool("with-key", false, "write the private key into a .pem file, too, where no password protects it")
	if err := c.parse(1, 2); err != nil {
		return err
	}
	to := c.args[len(c.args)-1]
	asPFX := isPFX(to)
	switch {
	case !asPFX && !slices.Contains([]string{".pem", ".crt", ".cer"}, strings.ToLower(filepath.Ext(to))):
		return fmt.Errorf("%s: the name says no form that is known: .pfx, .p12, .pem, .crt or .cer", to)
	case (*thumbprint == "") != (len(c.args) == 2):
		return errors.New("name FROM, a file, or -thumbprint, in the Windows store, and TO")
	case *thumbprint != "" && (asPFX || *withKey):
		_, err := tlsconfig.LoadPair(tlsconfig.Certificate{}) // says why not
		return err
	}
	var content []byte
	var err error
	if *thumbprint != "" {
		content, err = exportFromStore(store, *thumbprint)
	} else {
		from.File = c.args[0]
		content, err = exportFromFile(c, from, *passwordFile, *newPasswordFile, asPFX, *withKey)
	}
	if err == nil {
		err = tlsconfig.WriteFile(to, content)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "%s: written\n", to)
	return nil
}

func exportFromStore(store *tlsconfig.Store, thumbprint string) ([]byte, error) {
	t, err := tlsconfig.ParseThumbprint(thumbprint)
	if err != nil {
		return nil, fmt.Errorf("-thumbprint: %w", err)
	}
	entries, err := store.List()
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if t.Matches(e.Certificate) {
			return (&tlsconfig.KeyPair{Certificate: e.Certificate}).PEM(), nil
		}
	}
	return nil, fmt.Errorf("%w with the thumbprint %s in the store", tlsconfig.ErrNoCertificate, t)
}

func exportFromFile(c *call, from tlsconfig.Certificate, passwordFile, newPasswordFile string, asPFX, withKey bool) ([]byte, error) {
	pair, err := tlsconfig.LoadPair(from)
	if errors.Is(err, tlsconfig.ErrPasswordRequired) {
		if from.Password, err = password(passwordFile, c.stderr); err != nil {
			return nil, err
		}
		pair, err = tlsconfig.LoadPair(from)
	}
	if err != nil {
		return nil, err
	}
	if asPFX {
		secret := from.Password
		if newPasswordFile != "" || secret == "" {
			if secret, err = password(newPasswordFile, c.stderr); err != nil {
				return nil, err
			}
		}
		pfx, err := pair.PFX(secret)
		if err != nil {
			return nil, fmt.Errorf("%w; name a -new-password-file, or set %s", err, passwordEnvironment)
		}
		return pfx, nil
	}
	content := pair.PEM()
	if withKey {
		key, err := pair.KeyPEM()
		if err != nil {
			return nil, err
		}
		content = append(content, key...)
	}
	return content, nil
}

// importCertificate puts the certificate of a file into the Windows store.
func importCertificate(_ context.Context, c *call) error {
	store := storeFlags(c.flags)
	var from tlsconfig.Certificate
	c.flags.StringVar(&from.KeyFile, "key", "", "the `file` that has the private key, when FILE hasn't")
	c.flags.StringVar(&from.FriendlyName, "name", "", "the friendly `name` of one of several keys in FILE")
	passwordFile := c.flags.String("password-file", "", "the `file` that has the password; else "+passwordEnvironment+" or the terminal")
	if err := c.parse(1, 1); err != nil {
		return err
	}
	from.File = c.args[0]
	imported, err := store.Import(from)
	if errors.Is(err, tlsconfig.ErrPasswordRequired) {
		if from.Password, err = password(*passwordFile, c.stderr); err != nil {
			return err
		}
		imported, err = store.Import(from)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "%s is in the store\nSHA-1   %s\n", imported.Subject, tlsconfig.SHA1(imported))
	return nil
}
