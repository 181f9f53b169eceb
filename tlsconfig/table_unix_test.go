//go:build unix

package tlsconfig_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ladlehq/ladle/tlsconfig"
)

// A table behind a symbolic link is the one that the link leads to, with one lock and one
// key.
func TestTableBehindLink(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	c, _ := protected(t)
	c.Password = "sesame"
	bind(t, table, ":1", c)
	link := &tlsconfig.Table{File: filepath.Join(t.TempDir(), "link.json"), Owner: table.Owner}
	if err := os.Symlink(table.File, link.File); err != nil {
		t.Fatal(err)
	}
	bind(t, link, ":2", c)
	if rows, err := table.List(); len(rows) != 2 || err != nil {
		t.Errorf("%v %v", rows, err)
	}
	if left, err := os.ReadDir(filepath.Dir(link.File)); len(left) != 1 || err != nil {
		t.Errorf("%v %v", left, err)
	}
	source, err := tlsconfig.Server{Endpoint: ":2", Certificates: []tlsconfig.Certificate{{Bound: tlsconfig.TableFile(link.File)}}}.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	if source.Waiting() {
		t.Errorf("%q", source.Warnings())
	}
}

// Whom the rights of the table let change it, those of its lock do, too.
func TestTableRights(t *testing.T) {
	t.Parallel()
	table, id := newTable(t), issue(t, "lab", nil, nil)
	bind(t, table, ":1", id.bundle(t))
	for _, want := range []fs.FileMode{0o600, 0o640, 0o660} {
		if err := os.Chmod(table.File, want); err != nil {
			t.Fatal(err)
		}
		if _, err := table.Replace(t.Context(), ":1", id.bundle(t)); err != nil {
			t.Fatal(err)
		}
		for _, f := range []string{table.File, table.File + ".lock"} {
			if info, err := os.Stat(f); err != nil || info.Mode().Perm() != want {
				t.Errorf("%s: %v, want %v: %v", f, info.Mode().Perm(), want, err)
			}
		}
	}
}

// A damaged key is named, both when a password is to be kept and when it is to be opened.
func TestTableDamagedKey(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	c, _ := protected(t)
	c.Password = "sesame"
	bind(t, table, ":8443", c)
	if err := os.WriteFile(table.File+".key", []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := table.File + ".key has 5 bytes, and a key has 32: it is damaged: remove it"
	if o, err := table.Bind(t.Context(), ":8444", c); o.Code != tlsconfig.CodeTable || !strings.Contains(err.Error(), want) {
		t.Errorf("%v: %v", o, err)
	}
	if all := openBound(t, table).Warnings(); len(all) != 1 || !strings.Contains(all[0], want+": bind the certificate again") {
		t.Errorf("%q", all)
	}
}
