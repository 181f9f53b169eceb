package tlsconfig_test

import (
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ladlehq/ladle/tlsconfig"
)

var update = flag.Bool("update", false, "write testdata/certificates/expected.tsv anew")

// sentinels are what errors.Is tells, by their names.
var sentinels = map[string]error{
	"ErrPasswordRequired": tlsconfig.ErrPasswordRequired, "ErrPasswordWrong": tlsconfig.ErrPasswordWrong, "ErrNoCertificate": tlsconfig.ErrNoCertificate, "ErrNoPrivateKey": tlsconfig.ErrNoPrivateKey,
	"ErrKeyMismatch": tlsconfig.ErrKeyMismatch, "ErrAmbiguous": tlsconfig.ErrAmbiguous, "ErrUnsupported": tlsconfig.ErrUnsupported,
	"ErrExpired": tlsconfig.ErrExpired, "ErrNotYetValid": tlsconfig.ErrNotYetValid, "ErrKeyUsage": tlsconfig.ErrKeyUsage, "ErrWeak": tlsconfig.ErrWeak,
}

func kindOf(err error) string {
	for name, sentinel := range sentinels {
		if errors.Is(err, sentinel) {
			return name
		}
	}
	return "error"
}

// now is between the beginnings and ends of the certificates that are valid.
var now = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)

// outcome says in a line what came of a file.
func outcome(dir string, pair tls.Certificate, err error) string {
	if err != nil {
		return kindOf(err) + ": " + strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), "")
	}
	line := fmt.Sprintf("%s, %d in the chain", pair.Leaf.Subject, len(pair.Certificate))
	for _, problem := range tlsconfig.Problems(pair.Leaf, now, tlsconfig.ForServer) {
		line += "; " + kindOf(problem) + ": " + problem.Error()
	}
	return line
}

// Certificate files of every kind that people have, made by openssl, keytool, pk12util and
// certtool: testdata/certificates/make.sh makes them, and expected.tsv says for each, with
// each password, what has to come of it.
func TestCertificateCorpus(t *testing.T) {
	t.Parallel()
	dir := filepath.Join("testdata", "certificates")
	table := filepath.Join(dir, "expected.tsv")
	raw, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	var anew strings.Builder
	for line := range strings.Lines(string(raw)) {
		columns := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(columns) != 4 {
			t.Fatalf("%q has %d columns", line, len(columns))
		}
		name, password, friendly, want := columns[0], columns[1], columns[2], columns[3]
		seen[name] = true
		pair, err := tlsconfig.Certificate{File: filepath.Join(dir, name), Password: tlsconfig.Secret(password), FriendlyName: friendly}.Load()
		got := outcome(dir, pair, err)
		if got != want && !*update {
			t.Errorf("%s with the password %q and the name %q:\ngot  %s\nwant %s", name, password, friendly, got, want)
		}
		fmt.Fprintf(&anew, "%s\t%s\t%s\t%s\n", name, password, friendly, got)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if name := f.Name(); !seen[name] && name != "make.sh" && name != "expected.tsv" {
			t.Errorf("nothing is expected of %s", name)
		}
	}
	if len(seen) < 60 {
		t.Errorf("only %d files", len(seen))
	}
	if *update {
		if err := os.WriteFile(table, []byte(anew.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
