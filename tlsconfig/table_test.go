package tlsconfig_test

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ladlehq/ladle/tlsconfig"
)

func newTable(t testing.TB) *tlsconfig.Table {
	t.Helper()
	return &tlsconfig.Table{File: filepath.Join(t.TempDir(), "bindings.json"), Owner: "alice"}
}

// bind binds what must be bindable.
func bind(t testing.TB, table *tlsconfig.Table, endpoint string, c tlsconfig.Certificate) tlsconfig.Outcome {
	t.Helper()
	o, err := table.Bind(t.Context(), endpoint, c)
	if err != nil || o.Code != tlsconfig.CodeBound {
		t.Fatalf("%v: %v", o, err)
	}
	return o
}

func TestTable(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	first, second := issue(t, "first", nil, nil), issue(t, "second", nil, nil)
	if rows, err := table.List(); len(rows) != 0 || err != nil {
		t.Fatalf("%v, %v", rows, err)
	}
	before := time.Now().Add(-time.Second)
	o := bind(t, table, "LOCALHOST.:8443", first.bundle(t))
	if b := o.Binding; b.Endpoint.String() != "localhost:8443" || b.IssuedTo != "CN=first" || b.Owner != "alice" || b.Bound.Before(before) ||
		b.SHA256 != tlsconfig.SHA256(first.cert) || !filepath.IsAbs(b.File) || !strings.HasPrefix(o.String(), "bound: localhost:8443 now has CN=first (") {
		t.Errorf("%+v: %v", b, o)
	}
	if o, err := table.Bind(t.Context(), "localhost:8443", second.bundle(t)); o.Code != tlsconfig.CodeAlreadyBound || !errors.Is(err, tlsconfig.ErrAlreadyBound) || o.Binding.IssuedTo != "CN=first" {
		t.Errorf("%v: %v", o, err)
	}
	if o, err := table.Replace(t.Context(), "localhost:8443", second.bundle(t)); err != nil || o.Code != tlsconfig.CodeReplaced || o.Binding.IssuedTo != "CN=second" {
		t.Errorf("%v: %v", o, err)
	}
	bind(t, table, "443", first.bundle(t))
	bind(t, table, "0.0.0.0:8443", first.bundle(t))
	bind(t, table, "[::ffff:10.0.0.5]:8443", first.bundle(t))
	rows, err := table.List()
	var endpoints []string
	for _, r := range rows {
		endpoints = append(endpoints, r.Endpoint.String())
	}
	if want := "[:443 :8443 10.0.0.5:8443 localhost:8443]"; fmt.Sprint(endpoints) != want || err != nil {
		t.Errorf("%v, want %s: %v", endpoints, want, err)
	}
	if b, err := table.Show(":8443"); err != nil || b.IssuedTo != "CN=first" {
		t.Errorf("%+v, %v", b, err)
	}
	if o, err := table.Unbind(t.Context(), ":8443"); err != nil || o.Code != tlsconfig.CodeUnbound || !strings.HasPrefix(o.String(), "unbound: :8443 is free of CN=first") {
		t.Errorf("%v: %v", o, err)
	}
	if o, err := table.Unbind(t.Context(), ":8443"); !errors.Is(err, tlsconfig.ErrNotBound) || o.Code != tlsconfig.CodeNotBound {
		t.Errorf("%v: %v", o, err)
	}
	if _, err := table.Show(":8443"); !errors.Is(err, tlsconfig.ErrNotBound) {
		t.Error(err)
	}
	if info, err := os.Stat(table.File); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

func TestTableNames(t *testing.T) {
	t.Parallel()
	id := issue(t, "lab", nil, func(c *x509.Certificate) { c.DNSNames = []string{"lab.example", "*.ward.example"} })
	for endpoint, warns := range map[string]bool{"lab.example:1": false, ":1": false, "a.ward.example:1": false, "*.ward.example:1": false, "other.example:1": true, "*.example:1": true, "10.0.0.5:1": true} {
		o := bind(t, newTable(t), endpoint, id.bundle(t))
		if (len(o.Warnings) > 0) != warns {
			t.Errorf("%s: %q", endpoint, o.Warnings)
		}
	}
	for bad, text := range map[string]string{
		"": "is no port", "0": "is no port", "65536": "is no port", ":http": "is no port", "lab.example": "write for example", "lab example:1": "' '", "l\u00e4b.example:1": "xn--",
		"-lab:1": "is no host name", "lab..example:1": "is no host name", strings.Repeat("a.", 130) + "a:1": "253", "a*.example:1": "'*'",
		"10.0.0.256:1": "neither an address nor a host name",
	} {
		o, err := newTable(t).Bind(t.Context(), bad, id.bundle(t))
		if o.Code != tlsconfig.CodeBadEndpoint || !errors.Is(err, tlsconfig.ErrEndpoint) || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v: %v", bad, o, err)
		}
	}
}

// protected makes a certificate in a file that "sesame" opens.
func protected(t testing.TB) (tlsconfig.Certificate, *tlsconfig.KeyPair) {
	t.Helper()
	pair, err := tlsconfig.SelfSigned{FriendlyName: "lab", Names: []string{"localhost"}}.Create()
	if err != nil {
		t.Fatal(err)
	}
	pfx, err := pair.PFX("sesame")
	if err != nil {
		t.Fatal(err)
	}
	return tlsconfig.Certificate{File: file(t, pfx)}, pair
}

func TestTablePassword(t *testing.T) {
	t.Parallel()
	c, pair := protected(t)
	passwordFile := file(t, []byte("sesame\r\n"))
	asked := 0
	answer := func(s tlsconfig.Secret) func(context.Context, string) (tlsconfig.Secret, error) {
		return func(_ context.Context, name string) (tlsconfig.Secret, error) {
			if asked++; name != c.File {
				t.Errorf("asked for %q", name)
			}
			return s, nil
		}
	}
	for _, x := range []struct {
		name     string
		password tlsconfig.Secret
		ask      func(context.Context, string) (tlsconfig.Secret, error)
		asked    int
		code     tlsconfig.Code
	}{
		{"nobody to ask", "", nil, 0, tlsconfig.CodePasswordRequired},
		{"the right one", "", answer("sesame"), 1, tlsconfig.CodeBound},
		{"a wrong one", "", answer("simsim"), 1, tlsconfig.CodePasswordWrong},
		{"none after all", "", answer(""), 1, tlsconfig.CodePasswordRequired},
		{"given", "sesame", answer("simsim"), 0, tlsconfig.CodeBound},
		{"given wrong", "simsim", answer("sesame"), 0, tlsconfig.CodePasswordWrong},
		{"nobody is there", "", func(context.Context, string) (tlsconfig.Secret, error) {
			asked++
			return "", errors.New("no terminal")
		}, 1, tlsconfig.CodePasswordRequired},
		{"in a file", tlsconfig.Secret("${file:" + passwordFile + "}"), nil, 0, tlsconfig.CodeBound},
		{"in a missing file", "${file:/missing}", answer("sesame"), 0, tlsconfig.CodePasswordRequired},
		{"in a missing variable", "${env:LADLE_TEST_MISSING}", nil, 0, tlsconfig.CodePasswordRequired},
	} {
		table := newTable(t)
		table.Password = x.ask
		asked = 0
		given := c
		given.Password = x.password
		o, err := table.Bind(t.Context(), ":8443", given)
		if o.Code != x.code || asked != x.asked || (err == nil) != (x.code == tlsconfig.CodeBound) {
			t.Errorf("%s: %v, asked %d times: %v", x.name, o, asked, err)
		}
		// What was bound can be opened again by another program, and shows no password.
		raw, err := os.ReadFile(table.File)
		if x.code != tlsconfig.CodeBound {
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: the table was written: %s", x.name, raw)
			}
			continue
		}
		if strings.Contains(string(raw), "sesame") {
			t.Errorf("%s: the password is in the table: %s", x.name, raw)
		}
		source, err := tlsconfig.Server{Certificates: []tlsconfig.Certificate{{Bound: tlsconfig.TableFile(table.File)}}, Endpoint: ":8443"}.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if leaves := source.Leaves(); len(leaves) != 1 || !leaves[0].Equal(pair.Certificate) {
			t.Errorf("%s: %d certificates: %q", x.name, len(leaves), source.Warnings())
		}
		if err := source.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestTableRefusesCertificates(t *testing.T) {
	t.Parallel()
	id, other := issue(t, "lab", nil, nil), issue(t, "other", nil, nil)
	for name, x := range map[string]struct {
		c    tlsconfig.Certificate
		code tlsconfig.Code
	}{
		"no key":           {tlsconfig.Certificate{File: file(t, id.certPEM())}, tlsconfig.CodeNoPrivateKey},
		"no file":          {tlsconfig.Certificate{File: "/missing.pfx"}, tlsconfig.CodeBadCertificate},
		"nothing":          {tlsconfig.Certificate{}, tlsconfig.CodeBadCertificate},
		"key of another":   {tlsconfig.Certificate{File: file(t, id.certPEM(), other.keyPEM(t))}, tlsconfig.CodeBadCertificate},
		"other thumbprint": {tlsconfig.Certificate{File: id.bundle(t).File, Thumbprint: tlsconfig.SHA256(other.cert)}, tlsconfig.CodeNoCertificate},
		"another table":    {tlsconfig.Certificate{Bound: "x"}, tlsconfig.CodeBadCertificate},
	} {
		table := newTable(t)
		o, err := table.Bind(t.Context(), ":8443", x.c)
		if o.Code != x.code || err == nil || o.Binding != nil {
			t.Errorf("%s: %v: %v", name, o, err)
		}
		if rows, err := table.List(); len(rows) != 0 || err != nil {
			t.Errorf("%s: %v, %v", name, rows, err)
		}
	}
}

func TestTablePermission(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	id := issue(t, "lab", nil, nil)
	bind(t, table, ":8443", id.bundle(t))
	before, err := os.ReadFile(table.File)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, table *tlsconfig.Table, text string) {
		t.Helper()
		for name, try := range map[string]func() (tlsconfig.Outcome, error){
			"replace": func() (tlsconfig.Outcome, error) {
				return table.Replace(context.Background(), ":8443", id.bundle(t))
			},
			"unbind": func() (tlsconfig.Outcome, error) { return table.Unbind(context.Background(), ":8443") },
		} {
			if o, err := try(); o.Code != tlsconfig.CodePermission || !errors.Is(err, tlsconfig.ErrPermission) || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %s: %v: %v", what, name, o, err)
			}
		}
		if after, err := os.ReadFile(table.File); err != nil || string(after) != string(before) {
			t.Errorf("%s: the table has changed: %s %v", what, after, err)
		}
	}
	refused("another owner", &tlsconfig.Table{File: table.File, Owner: "bob"}, `was bound by "alice", and you are "bob"`)
	if err := os.Chmod(table.File, 0o400); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(table.File, 0o600) }) // so that Windows can remove it
	refused("a read-only file", table, "is read-only")
	if o, err := table.Bind(t.Context(), ":9000", id.bundle(t)); o.Code != tlsconfig.CodePermission {
		t.Errorf("%v: %v", o, err)
	}
}

// A certificate without a subject, as authorities give them by now, is told by its names.
func TestTableWithoutSubject(t *testing.T) {
	t.Parallel()
	id := issue(t, "lab", nil, func(c *x509.Certificate) {
		c.Subject, c.DNSNames = pkix.Name{}, []string{"lab.example", "www.lab.example"}
	})
	table := newTable(t)
	if o := bind(t, table, ":8443", id.bundle(t)); !strings.HasPrefix(o.String(), "bound: :8443 now has lab.example, www.lab.example (") {
		t.Error(o)
	}
	n := tlsconfig.Notice{Kind: tlsconfig.Unbound, Endpoint: tlsconfig.Endpoint{Port: 8443}, Certificate: id.cert}
	if n.String() != "unbound: :8443 is free of lab.example, www.lab.example" {
		t.Error(n)
	}
}

// A call whose time is over has a code of its own.
func TestTableTimeIsOver(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if o, err := newTable(t).Bind(ctx, ":1", issue(t, "lab", nil, nil).bundle(t)); o.Code != tlsconfig.CodeCanceled || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v: %v", o, err)
	}
}

func TestTableDamaged(t *testing.T) {
	t.Parallel()
	id := issue(t, "lab", nil, nil)
	row := `{"endpoint": ":8443", "file": "x.pfx"}`
	for content, text := range map[string]string{
		"":   "bindings.json:1: the file ends too early",
		"{":  "bindings.json:1: the file ends too early",
		"[]": "bindings.json:1: want {",
		"{\"format\": 1,\n\"bindings\": [\n" + row + ",\n" + row + "]}":                                     "bindings.json:4: :8443 is bound twice",
		"{\"format\": 1,\n\"bindings\": [\n{\"endpoint\": \"x\"}]}":                                         "bindings.json:3: not an endpoint",
		"{\"format\": 1,\n\"bindings\": [\n" + row + ",\n{\"file\": \"y\"}]}":                               "bindings.json:4: a binding has no endpoint",
		"{\"format\": 1,\n\"bindings\": [{\"endpoint\": \":1\"}]}":                                          "bindings.json:2: the binding of :1 has neither a file nor",
		"{\"format\": 1,\n\"bindings\": [{\"endpoint\": \":1\", \"pasword\": \"\"}]}":                       `bindings.json:2: json: unknown field "pasword"`,
		"{\"format\": 1,\n\"bindings\": [{\"endpoint\": \":1\", \"file\": 3}]}":                             "bindings.json:2: json: cannot unmarshal number",
		"{\"format\": 1, \"bindings\": [{\"endpoint\": \":1\", \"file\": \"x\",\n}]}":                       "bindings.json:1: invalid character '}'",
		"{\"format\": 1, \"bindings\": [{\"endpoint\": \":1\", \"file\": \"x\", \"password\": \"clear\"}]}": "has a password in clear",
		"{\"format\": 2, \"bindings\": []}":                                                                 "the format is 2",
		"{\"bindings\": []}":                                                                                "the format is 0",
		"{\"format\": 1, \"binding\": []}":                                                                  `unknown key "binding"`,
		"{\"format\": 1, \"bindings\": []}\n\n{}":                                                           "bindings.json:3: something follows",
		"{\"format\": 1, \"bindings\": {}}":                                                                 "want [",
		"{\"format\": \"1\", \"bindings\": []}":                                                             "cannot unmarshal string",
		"{\"format\": 1, \"bindings\": [" + row + "}":                                                       "bindings.json:1: invalid character '}'",
	} {
		table := newTable(t)
		if err := os.WriteFile(table.File, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		for name, try := range map[string]func() error{
			"list":   func() error { _, err := table.List(); return err },
			"bind":   func() error { _, err := table.Bind(t.Context(), ":9000", id.bundle(t)); return err },
			"unbind": func() error { _, err := table.Unbind(t.Context(), ":9000"); return err },
		} {
			if err := try(); !errors.Is(err, tlsconfig.ErrTable) || tlsconfig.CodeOf(err) != tlsconfig.CodeTable || !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "clear}") {
				t.Errorf("%q: %s: %v, want %q", content, name, err, text)
			}
		}
		if after, _ := os.ReadFile(table.File); string(after) != content {
			t.Errorf("%q became %q", content, after)
		}
	}
	missing := &tlsconfig.Table{File: filepath.Join(t.TempDir(), "missing", "bindings.json")}
	if _, err := missing.Bind(t.Context(), ":1", id.bundle(t)); !errors.Is(err, tlsconfig.ErrTable) || !strings.Contains(err.Error(), "there is no folder") {
		t.Error(err)
	}
	folder := &tlsconfig.Table{File: t.TempDir()}
	if _, err := folder.Bind(t.Context(), ":1", id.bundle(t)); !errors.Is(err, tlsconfig.ErrTable) {
		t.Error(err)
	}
}

// Many bind at once, as separate processes would: each file handle has its own lock.
func TestTableConcurrently(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	c := issue(t, "lab", nil, nil).bundle(t)
	const n = 20
	var wg sync.WaitGroup
	var mu sync.Mutex
	bound := 0
	for i := range n {
		wg.Go(func() {
			own := *table
			if _, err := own.Bind(t.Context(), fmt.Sprintf(":%d", 1000+i), c); err != nil {
				t.Error(err)
			}
			if o, _ := own.Bind(t.Context(), ":999", c); o.Code == tlsconfig.CodeBound {
				mu.Lock()
				defer mu.Unlock()
				bound++
			} else if o.Code != tlsconfig.CodeAlreadyBound {
				t.Error(o)
			}
		})
	}
	wg.Wait()
	rows, err := table.List()
	if len(rows) != n+1 || bound != 1 || err != nil {
		t.Errorf("%d rows, %d bound at one endpoint: %v", len(rows), bound, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if o, err := table.Unbind(ended, ":999"); o.Code != tlsconfig.CodeCanceled || !errors.Is(err, context.Canceled) {
		t.Errorf("%v: %v", o, err)
	}
	files, err := os.ReadDir(filepath.Dir(table.File))
	if len(files) != 2 || err != nil { // the table and its lock
		t.Errorf("%v are left: %v", files, err)
	}
}

func FuzzTable(f *testing.F) {
	f.Add([]byte(`{"format": 1, "bindings": [{"endpoint": ":8443", "file": "/x.pfx", "password": "${file:/y}", "owner": "a", "bound": "2026-11-26T14:00:00Z"}]}`))
	f.Add([]byte(`{"bindings": [{"endpoint": "*.lab.example:1", "thumbprint": "a9"}], "format": 1}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		table := newTable(t)
		if err := os.WriteFile(table.File, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		rows, err := table.List()
		if err != nil {
			if !errors.Is(err, tlsconfig.ErrTable) {
				t.Fatal(err)
			}
			return
		}
		// What is read is found again, and what is removed leaves the rest as it was.
		for _, r := range rows {
			if found, err := table.Show(r.Endpoint.String()); err != nil || found != r {
				t.Fatalf("%+v, %+v, %v", r, found, err)
			}
		}
		if len(rows) == 0 {
			return
		}
		own := tlsconfig.Table{File: table.File, Owner: rows[0].Owner}
		if rows[0].Owner == "" {
			return
		}
		if _, err := own.Unbind(t.Context(), rows[0].Endpoint.String()); err != nil {
			t.Fatal(err)
		}
		if rest, err := table.List(); err != nil || len(rest) != len(rows)-1 {
			t.Fatalf("%d of %d rows are left: %v", len(rest), len(rows), err)
		}
	})
}
