package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ladlehq/ladle/tlsconfig"
)

// Mistakes in what a home-made certificate is to be like make no files, and are told without
// names of temporary ones.
func TestCreateMistakes(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("LADLE_PASSWORD", "s3cret")
	taken := filepath.Join(dir, "taken.crt")
	if err := os.WriteFile(taken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for text, args := range map[string][]string{
		"valid for 1 to 36500 days":                                 {"-days", "0", "a.pfx"},
		"-days: 200000":                                             {"-days", "200000", "a.pfx"},
		`"" is neither a host name nor an IP address`:               {"-hosts", "", "a.pfx"},
		`"10.0.0.256" is neither`:                                   {"-hosts", "localhost, 10.0.0.256", "a.pfx"},
		"taken.crt exists already: choose another name,":            {"taken.pfx"},
		"can't write " + filepath.Join(dir, "none", "a.pfx") + ": ": {filepath.Join("none", "a.pfx")},
	} {
		args[len(args)-1] = filepath.Join(dir, args[len(args)-1])
		_, stderr, status := callLadle(t.Context(), append([]string{"certificates", "create"}, args...)...)
		if status != 1 || !strings.Contains(stderr, text) || strings.Contains(stderr, ".tmp") {
			t.Errorf("%v: %d %s", args, status, stderr)
		}
	}
	if left, err := os.ReadDir(dir); len(left) != 1 || err != nil {
		t.Errorf("%v %v", left, err)
	}
	if stdout, stderr, status := callLadle(t.Context(), "certificates", "create", "-hosts", "lab.example, 10.0.0.5", filepath.Join(dir, "b.PFX")); status != 0 || !strings.Contains(stdout, filepath.Join(dir, "b.crt:")) {
		t.Errorf("%d %s %s", status, stdout, stderr)
	}
	if stdout, _, _ := callLadle(t.Context(), "certificates", "show", filepath.Join(dir, "b.PFX")); !strings.Contains(stdout, "for lab.example, 10.0.0.5\n") {
		t.Error(stdout)
	}
}

func TestCertificates(t *testing.T) {
	dir := t.TempDir()
	pfx, password := filepath.Join(dir, "lab.pfx"), filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, status := callLadle(t.Context(), "certificates", "create", "-name", "Laboratory", "-hosts", "lab.example,127.0.0.1", "-password-file", password, pfx)
	if status != 0 || !strings.Contains(stdout, "lab.crt: the certificate alone") || strings.Contains(stdout+stderr, "s3cret") {
		t.Fatalf("%d %s %s", status, stdout, stderr)
	}
	loaded, err := tlsconfig.Certificate{File: pfx, Password: "s3cret"}.Load()
	if err != nil {
		t.Fatal(err)
	}
	thumbprint := tlsconfig.SHA256(loaded.Leaf).String()
	if !strings.Contains(stdout, thumbprint) {
		t.Error(stdout)
	}
	if _, stderr, status := callLadle(t.Context(), "certificates", "create", "-password-file", password, pfx); status != 1 || !strings.Contains(stderr, "exists") {
		t.Errorf("a file was written over: %d %s", status, stderr)
	}

	stdout, stderr, status = callLadle(t.Context(), "certificates", "show", "-password-file", password, pfx)
	if status != 0 || !strings.Contains(stdout, thumbprint) || !strings.Contains(stdout, "for lab.example, 127.0.0.1") {
		t.Errorf("%d %s %s", status, stdout, stderr)
	}
	t.Setenv("LADLE_PASSWORD", "s3cret")
	stdout, _, status = callLadle(t.Context(), "certificates", "show", "-json", pfx)
	var shown struct {
		Subject, SHA256 string
		Names           []string
	}
	if err := json.Unmarshal([]byte(stdout), &shown); err != nil || status != 0 || shown.SHA256 != thumbprint || shown.Subject != "CN=Laboratory" || len(shown.Names) != 2 {
		t.Errorf("%d %s %v", status, stdout, err)
	}
	t.Setenv("LADLE_PASSWORD", "another")
	if _, stderr, status := callLadle(t.Context(), "certificates", "show", pfx); status != 1 || !strings.Contains(stderr, "the password is wrong") {
		t.Errorf("%d %s", status, stderr)
	}
	expired := filepath.Join("..", "..", "tlsconfig", "testdata", "certificates", "pem-expired.pem")
	if stdout, _, status := callLadle(t.Context(), "certificates", "show", expired); status != 1 || !strings.Contains(stdout, "problem: the certificate has expired") {
		t.Errorf("%d %s", status, stdout)
	}

	source, err := tlsconfig.Server{Certificates: []tlsconfig.Certificate{{File: pfx, Password: "s3cret"}}}.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", source.Config())
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.NotFoundHandler(), ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer func() {
		server.Close()
		<-served
	}()
	address := listener.Addr().String()
	stdout, stderr, status = callLadle(t.Context(), "certificates", "check", "-pin", thumbprint, address)
	if status != 0 || !strings.Contains(stdout, "speaks TLS\nversions: TLS 1.2, TLS 1.3\n") || !strings.Contains(stdout, "all is well") {
		t.Errorf("%d %s %s", status, stdout, stderr)
	}
	pasted := "\u200e" + strings.ToUpper(thumbprint[:2]) + " " + thumbprint[2:4] + " " + thumbprint[4:]
	stdout, stderr, status = callLadle(t.Context(), "certificates", "check", "-pin", pasted, address)
	if status != 0 || !strings.Contains(stdout, "all is well") || stderr != "-pin: a left-to-right mark (U+200E) and 2 spaces were removed\n" {
		t.Errorf("%d %s %s", status, stdout, stderr)
	}
	stdout, _, status = callLadle(t.Context(), "certificates", "check", "-json", "-ca", filepath.Join(dir, "lab.crt"), "-server-name", "other.example", address)
	var checked struct {
		Speaks   string
		Trusted  bool
		Problems []string
	}
	if err := json.Unmarshal([]byte(stdout), &checked); err != nil || status != 1 || checked.Speaks != "TLS" || checked.Trusted || len(checked.Problems) != 1 {
		t.Errorf("%d %s %v", status, stdout, err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if stdout, _, status := callLadle(t.Context(), "certificates", "check", l.Addr().String()); status != 1 || !strings.Contains(stdout, "nothing listens on the port") {
		t.Errorf("%d %s", status, stdout)
	}
	if _, stderr, _ := callLadle(t.Context(), "certificates", "bake"); !strings.HasPrefix(stderr, `ladle certificates: there is no command "bake"`) {
		t.Error(stderr)
	}
	for _, args := range [][]string{{"certificates"}, {"certificates", "bake"}, {"certificates", "check"}, {"certificates", "show", "a", "b"}} {
		if _, stderr, status := callLadle(t.Context(), args...); status != 2 || !strings.Contains(stderr, "usage") {
			t.Errorf("%v: %d %s", args, status, stderr)
		}
	}
}

// Who pastes a thumbprint with what can't be seen is told what was removed.
func TestThumbprintAsPasted(t *testing.T) {
	t.Parallel()
	pair, err := tlsconfig.SelfSigned{FriendlyName: "x", Names: []string{"localhost"}}.Create()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	pfx, err := pair.PFX("secret")
	if err != nil {
		t.Fatal(err)
	}
	digits := tlsconfig.SHA1(pair.Certificate).String()
	text := "workflows:\n- name: w\n  receiver:\n    http:\n      address: 127.0.0.1:0\n      tls: {certificate: {file: x.pfx, password: secret, thumbprint: \"\u200e" + digits[:2] + " " + digits[2:] + "\"}}\n"
	file := filepath.Join(dir, "w.yaml")
	if err := errors.Join(tlsconfig.WriteFile(filepath.Join(dir, "x.pfx"), pfx), tlsconfig.WriteFile(file, []byte(text))); err != nil {
		t.Fatal(err)
	}
	const removed = "a left-to-right mark (U+200E) and a space were removed"
	stdout, stderr, status := callLadle(t.Context(), "check", file)
	if status != 0 || stderr != file+": thumbprint "+digits+": "+removed+"\n" || !strings.Contains(stdout, "no mistakes") {
		t.Errorf("%d %s%s", status, stdout, stderr)
	}
	ctx, cancel := context.WithCancel(t.Context())
	running := writerFunc(func(b []byte) (int, error) {
		cancel() // the address was printed: it runs
		return len(b), nil
	})
	var log bytes.Buffer
	if status := ladle(ctx, []string{"run", file}, running, &log); status != 0 || !strings.Contains(log.String(), "certificate[0].thumbprint: "+removed) {
		t.Errorf("%d %s", status, log.String())
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }
