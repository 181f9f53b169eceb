package tlsconfig

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// DefaultTable is the file of the binding table where no other is named.
const DefaultTable = "bindings.json"

// TableFile names the file of a binding table. In a workflow file it is a path, or true for
// DefaultTable beside the workflow file.
type TableFile string

// UnmarshalText reads a path, true or false.
func (t *TableFile) UnmarshalText(text []byte) error {
	switch string(text) {
	case "true":
		*t = DefaultTable
	case "false":
		*t = ""
	default:
		*t = TableFile(text)
	}
	return nil
}

// A Table binds certificates to endpoints. Servers that have their certificate from it
// (`bound` in [Certificate]) follow it while they run, in this and in other processes: a
// port that a certificate is bound to opens, and closes with its last binding.
//
// The table is one file, which is JSON that a person can read. It is replaced as a whole,
// under a lock between processes. It holds no certificate and no password: it names files
// and thumbprints, and says where a password is, or keeps it sealed. Beside it are a file
// with .lock behind its name and, except on Windows, one with .key, which opens what is
// sealed and is to be moved with it. Symbolic links to it are followed. The zero value is
// the table in DefaultTable in the current folder. The methods are safe for concurrent use.
type Table struct {
	// File is the path of the file. The default is DefaultTable. It need not exist.
	File string
	// Owner is who binds and unbinds; what another owner has bound can't be changed. That
	// guards against mistakes: against others, the rights of the file guard. The default is
	// the name of the account that the program runs under.
	Owner string
	// Password asks for the password of a certificate's file that needs one when none was
	// given. It is called at most once. Nil asks nobody.
	Password func(ctx context.Context, file string) (Secret, error)
}

// A Binding is a row of the table.
type Binding struct {
	Endpoint Endpoint `json:"endpoint"`

	// Where the certificate is, as in Certificate. Paths are absolute.
	File         string     `json:"file,omitempty"`
	KeyFile      string     `json:"key,omitempty"`
	FriendlyName string     `json:"friendlyName,omitempty"`
	Thumbprint   Thumbprint `json:"thumbprint,omitempty"`
	Subject      string     `json:"subject,omitempty"`
	SAN          string     `json:"san,omitempty"`
	Store        string     `json:"store,omitempty"`
	Location     string     `json:"location,omitempty"`
	// Password says where the password is, "${env:NAME}" or "${file:PATH}", or has it
	// sealed for this machine.
	Password string `json:"password,omitempty"`

	// IssuedTo, SHA256 and NotAfter describe the certificate as it was when it was bound. A
	// renewal in its place doesn't change the table. IssuedTo is its subject, or its names
	// where that is empty.
	IssuedTo string     `json:"issuedTo"`
	SHA256   Thumbprint `json:"sha256"`
	NotAfter time.Time  `json:"notAfter"`

	Owner string    `json:"owner"`
	Bound time.Time `json:"bound"`
}

// A Code says in a stable word what became of a call to a Table. The codes won't change.
type Code string

// The codes.
const (
	CodeBound            Code = "bound"
	CodeReplaced         Code = "replaced"
	CodeUnbound          Code = "unbound"
	CodeAlreadyBound     Code = "already bound"
	CodeNotBound         Code = "not bound"
	CodePasswordRequired Code = "password required"
	CodePasswordWrong    Code = "password wrong"
	CodeNoPrivateKey     Code = "no private key"
	CodeNoCertificate    Code = "no certificate"
	CodeBadCertificate   Code = "bad certificate" // anything else that is wrong with it
	CodeBadEndpoint      Code = "bad endpoint"
	CodePermission       Code = "permission"
	CodeBusy             Code = "busy"
	CodeTable            Code = "table"    // its file is damaged or can't be read or written
	CodeCanceled         Code = "canceled" // its context has ended
)

// What can go wrong with a table.
var (
	// ErrAlreadyBound: the endpoint has a certificate.
	ErrAlreadyBound = errors.New("already bound")
	// ErrNotBound: the endpoint has no certificate.
	ErrNotBound = errors.New("not bound")
	// ErrPermission: the caller may not change the table, or this row of it.
	ErrPermission = errors.New("not permitted")
	// ErrBusy: another process holds the table for too long.
	ErrBusy = errors.New("the table is in use")
	// ErrTable: the table's file is damaged, or can't be read or written.
	ErrTable = errors.New("the binding table can't be used")
)

// codes are in the order in which they are looked for: the most special first.
var codes = []struct {
	err  error
	code Code
}{
	{context.Canceled, CodeCanceled}, {context.DeadlineExceeded, CodeCanceled}, {ErrAlreadyBound, CodeAlreadyBound}, {ErrNotBound, CodeNotBound},
	{ErrPermission, CodePermission}, {ErrBusy, CodeBusy}, {ErrTable, CodeTable}, {ErrEndpoint, CodeBadEndpoint},
	{ErrPasswordRequired, CodePasswordRequired}, {ErrPasswordWrong, CodePasswordWrong},
	{ErrNoPrivateKey, CodeNoPrivateKey}, {ErrNoCertificate, CodeNoCertificate},
}

// CodeOf returns the code of an error of a Table.
func CodeOf(err error) Code {
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return CodeBadCertificate
}

// An Outcome is what became of Bind, Replace or Unbind.
type Outcome struct {
	// Code says it in a word, also when there is an error.
	Code Code
	// Binding is the row that was made, or removed, or is in the way. It is nil where there
	// is none.
	Binding *Binding
	// Warnings are what partners will have against the certificate, such as that it is for
	// another name than the endpoint's.
	Warnings []string
}

// String returns the outcome as a sentence.
func (o Outcome) String() string {
	b := o.Binding
	if b == nil {
		return string(o.Code)
	}
	what := fmt.Sprintf("%s (%s)", b.IssuedTo, cmp.Or(b.File, b.Thumbprint.String(), b.Subject, b.SAN))
	switch o.Code {
	case CodeUnbound:
		return fmt.Sprintf("unbound: %s is free of %s", b.Endpoint, what)
	case CodeAlreadyBound:
		return fmt.Sprintf("already bound: %s has %s since %s, by %s", b.Endpoint, what, b.Bound.Local().Format(time.DateTime), b.Owner)
	case CodeBound, CodeReplaced:
		return fmt.Sprintf("%s: %s now has %s", o.Code, b.Endpoint, what)
	}
	return fmt.Sprintf("%s: %s has %s", o.Code, b.Endpoint, what)
}

// Bind binds the certificate c to an endpoint that has none. The certificate is read first,
// with its key, and what can't be used is not bound. Where the endpoint has one already,
// nothing changes, and the error wraps ErrAlreadyBound.
//
// The password of c may be a reference, "${env:NAME}" or "${file:PATH}", which is then what
// the table keeps and what is read anew each time. Any other is kept sealed. Bind waits for
// other processes that change the table for 10 seconds at most.
func (t *Table) Bind(ctx context.Context, endpoint string, c Certificate) (Outcome, error) {
	return t.bind(ctx, endpoint, c, false)
}

// Replace binds the certificate c to an endpoint in place of the one that it has, or like
// Bind where it has none. Servers show it to new connections, and open ones live on.
func (t *Table) Replace(ctx context.Context, endpoint string, c Certificate) (Outcome, error) {
	return t.bind(ctx, endpoint, c, true)
}

func (t *Table) bind(ctx context.Context, endpoint string, c Certificate, replace bool) (Outcome, error) {
	e, err := ParseEndpoint(endpoint)
	if err != nil {
		return failed(err)
	}
	// What is in the way shows before anybody is asked for a password.
	rows, err := t.read()
	if err == nil {
		err = t.writable()
	}
	if err != nil {
		return failed(err)
	}
	if i := find(rows, e); i >= 0 {
		if err := t.mayChange(rows[i], replace); err != nil {
			return inTheWay(rows[i], err)
		}
	}
	pair, err := t.load(ctx, &c)
	if err != nil {
		return failed(err)
	}
	defer release(pair)
	b := newBinding(e, c, pair)
	b.Owner = t.owner()
	if b.File, b.KeyFile, err = absolute(c.File, c.KeyFile); err != nil {
		return failed(err)
	}
	o := Outcome{Code: CodeBound, Binding: &b, Warnings: bindWarnings(e, pair)}
	err = t.change(ctx, func(rows []Binding) ([]Binding, error) {
		i := find(rows, e)
		if i >= 0 {
			if err := t.mayChange(rows[i], replace); err != nil {
				o.Binding = &rows[i]
				return nil, err
			}
			o.Code = CodeReplaced
			rows = slices.Delete(rows, i, i+1)
		}
		var err error
		if b.Password, err = keepPassword(t.file(), c.Password); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrTable, err)
		}
		return append(rows, b), nil
	})
	if err != nil {
		o.Code, o.Warnings = CodeOf(err), nil
		if o.Code != CodeAlreadyBound && o.Code != CodePermission {
			o.Binding = nil
		}
		return o, err
	}
	return o, nil
}

// load reads the certificate, and asks for its password when it needs one and has none. A
// password that is a reference stays one in c.
func (t *Table) load(ctx context.Context, c *Certificate) (tls.Certificate, error) {
	if c.Issuer != nil || c.Bound != "" {
		return tls.Certificate{}, errors.New("only a file or a certificate of the Windows store can be bound")
	}
	if c.Staple != "" || c.FetchStaple {
		return tls.Certificate{}, errors.New("a table doesn't keep where OCSP responses are: leave staple and fetch-staple away")
	}
	resolved := *c
	if isReference(c.Password.Reveal()) {
		var err error
		if resolved.Password, err = resolveReference(c.Password.Reveal()); err != nil {
			return tls.Certificate{}, err
		}
	}
	pair, err := resolved.Load()
	if c.Password == "" && errors.Is(err, ErrPasswordRequired) && t.Password != nil {
		typed, askErr := t.Password(ctx, c.File)
		if askErr != nil {
			return tls.Certificate{}, fmt.Errorf("%w: %w", err, askErr)
		}
		c.Password = typed
		resolved.Password = typed
		pair, err = resolved.Load()
	}
	return pair, err
}

// Unbind removes the binding of an endpoint. A port is closed with its last binding, and
// what its server has taken is finished and answered; before that, only the name that was
// unbound is refused there. Where nothing is bound, nothing changes, and the error wraps
// ErrNotBound.
func (t *Table) Unbind(ctx context.Context, endpoint string) (Outcome, error) {
	e, err := ParseEndpoint(endpoint)
	if err != nil {
		return failed(err)
	}
	o := Outcome{Code: CodeUnbound}
	err = t.change(ctx, func(rows []Binding) ([]Binding, error) {
		i := find(rows, e)
		if i < 0 {
			return nil, fmt.Errorf("%w: there is no certificate for %s", ErrNotBound, e)
		}
		row := rows[i]
		o.Binding = &row
		if err := t.mayChange(row, true); err != nil {
			return nil, err
		}
		return slices.Delete(rows, i, i+1), nil
	})
	if err != nil {
		o.Code = CodeOf(err)
	}
	return o, err
}

// List returns the rows, by port and then by host. It is empty when there is no file.
func (t *Table) List() ([]Binding, error) { return t.read() }

// Show returns the row of an endpoint, or an error that wraps ErrNotBound.
func (t *Table) Show(endpoint string) (Binding, error) {
	e, err := ParseEndpoint(endpoint)
	if err != nil {
		return Binding{}, err
	}
	rows, err := t.read()
	if err != nil {
		return Binding{}, err
	}
	if i := find(rows, e); i >= 0 {
		return rows[i], nil
	}
	return Binding{}, fmt.Errorf("%w: there is no certificate for %s", ErrNotBound, e)
}

func failed(err error) (Outcome, error) { return Outcome{Code: CodeOf(err)}, err }

func inTheWay(row Binding, err error) (Outcome, error) {
	return Outcome{Code: CodeOf(err), Binding: &row}, err
}

// mayChange says why the row stays as it is, or nil.
func (t *Table) mayChange(row Binding, replace bool) error {
	switch {
	case !replace:
		return fmt.Errorf("%w: %s has %s: unbind it first, or replace it", ErrAlreadyBound, row.Endpoint, row.IssuedTo)
	case row.Owner != t.owner():
		return fmt.Errorf("%w: %s was bound by %q, and you are %q: ask them, or give their name as the owner", ErrPermission, row.Endpoint, row.Owner, t.owner())
	}
	return nil
}

// file is where the table is, behind symbolic links: they stay, and all who follow them
// share its lock and its key.
func (t *Table) file() string {
	name := cmp.Or(t.File, DefaultTable)
	if target, err := filepath.EvalSymlinks(name); err == nil {
		return target
	}
	return name
}

func (t *Table) owner() string {
	if t.Owner != "" {
		return t.Owner
	}
	u, err := user.Current()
	if err != nil {
		return "unknown"
	}
	return u.Username
}

func find(rows []Binding, e Endpoint) int {
	return slices.IndexFunc(rows, func(b Binding) bool { return b.Endpoint == e })
}

func newBinding(e Endpoint, c Certificate, pair tls.Certificate) Binding {
	b := Binding{
		Endpoint: e, FriendlyName: c.FriendlyName, Thumbprint: Thumbprint(c.Thumbprint.String()), Subject: c.Subject, SAN: c.SAN, Store: c.Store,
		IssuedTo: issuedTo(pair.Leaf), SHA256: SHA256(pair.Leaf), NotAfter: pair.Leaf.NotAfter.UTC(),
		Bound: time.Now().UTC().Truncate(time.Second),
	}
	if c.File == "" {
		b.Location = c.Location.String()
	}
	return b
}

// certificate returns where the certificate of a row is, with the password that opens it.
func (b Binding) certificate(table string) (Certificate, error) {
	c := Certificate{File: b.File, KeyFile: b.KeyFile, FriendlyName: b.FriendlyName, Thumbprint: b.Thumbprint, Subject: b.Subject, SAN: b.SAN, Store: b.Store}
	if b.Location != "" {
		if err := c.Location.UnmarshalText([]byte(b.Location)); err != nil {
			return c, err
		}
	}
	var err error
	c.Password, err = keptPassword(table, b.Password)
	return c, err
}

// absolute makes paths independent of where the program was started.
func absolute(file, key string) (string, string, error) {
	var errs [2]error
	for i, p := range []*string{&file, &key} {
		if *p != "" {
			*p, errs[i] = filepath.Abs(*p)
		}
	}
	return file, key, errors.Join(errs[:]...)
}

// bindWarnings are what partners will have against a certificate at an endpoint.
func bindWarnings(e Endpoint, pair tls.Certificate) []string {
	var all []string
	if e.Host != "" {
		name := e.Host
		if name[0] == '*' {
			name = "any" + name[1:]
		}
		if pair.Leaf.VerifyHostname(name) != nil {
			all = append(all, fmt.Sprintf("the certificate is for %s, and not for %s: partners that check the name will refuse it", certificateNames(pair.Leaf), e.Host))
		}
	}
	for _, p := range Problems(pair.Leaf, time.Now(), ForServer) {
		all = append(all, fmt.Sprintf("%v; partners will refuse it", p))
	}
	return all
}

// valid reports what a hand has written wrong.
func (b Binding) valid() error {
	switch {
	case b.Endpoint.Port == 0:
		return errors.New("a binding has no endpoint")
	case b.File == "" && b.Thumbprint == "" && b.Subject == "" && b.SAN == "":
		return fmt.Errorf("the binding of %s has neither a file nor a thumbprint, a subject or a san", b.Endpoint)
	case b.Password != "" && !isReference(b.Password) && !strings.HasPrefix(b.Password, sealed):
		return fmt.Errorf("the binding of %s has a password in clear: write ${file:PATH} or ${env:NAME}", b.Endpoint)
	}
	return nil
}

func compareRows(a, b Binding) int {
	return cmp.Or(cmp.Compare(a.Endpoint.Port, b.Endpoint.Port), cmp.Compare(a.Endpoint.Host, b.Endpoint.Host))
}
