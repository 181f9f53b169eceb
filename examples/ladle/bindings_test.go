package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ladlehq/ladle/engine/enginetest"
	"github.com/ladlehq/ladle/tlsconfig"
)

func TestBind(t *testing.T) {
	dir := t.TempDir()
	pfx, passwordFile, table := filepath.Join(dir, "lab.pfx"), filepath.Join(dir, "password"), filepath.Join(dir, "bindings.json")
	if err := os.WriteFile(passwordFile, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stderr, status := callLadle(t.Context(), "certificates", "create", "-hosts", "lab.example", "-password-file", passwordFile, pfx); status != 0 {
		t.Fatal(stderr)
	}
	var said string
	ladle := func(status int, text string, args ...string) {
		t.Helper()
		stdout, stderr, got := callLadle(t.Context(), append([]string{"certificates", args[0], "-table", table}, args[1:]...)...)
		said = stdout
		if got != status || !strings.Contains(stdout+stderr, text) || strings.Contains(stdout+stderr, "s3cret") {
			t.Errorf("%v: status %d, want %d\n%s%swant %q", args, got, status, stdout, stderr, text)
		}
	}
	ladle(0, "nothing is bound", "list")
	ladle(statusPassword, "set LADLE_PASSWORD", "bind", ":8443", pfx)
	ladle(0, "bound: :8443 now has CN=Ladle ("+pfx+")", "bind", "-password-file", passwordFile, ":8443", pfx)
	ladle(statusNothingDone, "already bound: :8443 has CN=Ladle", "bind", ":8443", pfx)
	ladle(0, "replaced: :8443", "bind", "-replace", "-password-file", passwordFile, ":8443", pfx)
	ladle(statusPassword, "the password is wrong", "bind", "-password-file", pfx, ":8444", pfx)
	ladle(statusPassword, "has no variable LADLE_TEST_MISSING", "bind", "-password-env", "LADLE_TEST_MISSING", ":8444", pfx)
	t.Setenv("LADLE_TEST_PASSWORD", "s3cret")
	ladle(0, "warning: the certificate is for lab.example, and not for other.example", "bind", "-password-env", "LADLE_TEST_PASSWORD", "other.example:8443", pfx)
	t.Setenv(passwordEnvironment, "s3cret")
	ladle(0, "bound: 10.0.0.5:8443", "bind", "-owner", "somebody", "10.0.0.5:8443", pfx)
	ladle(statusNothingDone, `"password":"sealed:"`, "bind", "-json", "10.0.0.5:8443", pfx)
	ladle(0, "endpoint            certificate", "list")
	ladle(0, "", "list", "-json")
	var rows []tlsconfig.Binding
	if err := json.Unmarshal([]byte(said), &rows); err != nil || len(rows) != 3 || rows[0].Password != "${file:"+passwordFile+"}" || rows[2].Password != "${env:LADLE_TEST_PASSWORD}" || rows[1].Password != "sealed:" {
		t.Errorf("%s %v", said, err)
	}
	ladle(statusPermission, `was bound by "somebody"`, "unbind", "10.0.0.5:8443")
	ladle(0, "unbound: 10.0.0.5:8443 is free", "unbind", "-owner", "somebody", "10.0.0.5:8443")
	ladle(statusNothingDone, "not bound", "unbind", "10.0.0.5:8443")
	ladle(statusNothingDone, "", "unbind", "-json", "10.0.0.5:8443")
	var o struct{ Code, Error string }
	if err := json.Unmarshal([]byte(said), &o); err != nil || o.Code != "not bound" || !strings.Contains(o.Error, "there is no certificate") {
		t.Errorf("%s %v", said, err)
	}
	ladle(1, "not an endpoint", "bind", "nowhere", pfx)
	ladle(1, "name one of them", "bind", "-password-env", "X", "-password-file", "Y", ":1", pfx)
	ladle(1, "not a thumbprint", "bind", "-thumbprint", "a9", ":1", pfx)
	ladle(2, "usage: ladle certificates bind", "bind")
}

// A workflow that waits for a certificate runs, and its port opens when one is bound.
func TestRunBound(t *testing.T) {
	t.Parallel()
	dir, address := t.TempDir(), enginetest.FreeAddress(t)
	file := filepath.Join(dir, "w.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, "workflows:\n- name: w\n  receiver: {http: {address: %q, tls: {certificate: {bound: true}}}}\n", address), 0o600); err != nil {
		t.Fatal(err)
	}
	pair, err := tlsconfig.SelfSigned{FriendlyName: "lab", Names: []string{"127.0.0.1"}}.Create()
	if err != nil {
		t.Fatal(err)
	}
	key, err := pair.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	pem, crt := filepath.Join(dir, "lab.pem"), filepath.Join(dir, "lab.crt")
	if err := errors.Join(tlsconfig.WriteFile(pem, append(pair.PEM(), key...)), tlsconfig.WriteFile(crt, pair.PEM())); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, outW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	logs, logsW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer logs.Close()
	ended := make(chan int)
	go func() {
		status := ladle(ctx, []string{"run", file}, outW, logsW)
		outW.Close()
		logsW.Close()
		ended <- status
	}()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.Contains(line, "w: waits: the port is closed") || !strings.Contains(line, "-table "+filepath.Join(dir, "bindings.json")) {
		t.Errorf("%q %v", line, err)
	}
	if _, stderr, status := callLadle(t.Context(), "certificates", "bind", "-table", filepath.Join(dir, "bindings.json"), address, pem); status != 0 {
		t.Fatal(stderr)
	}
	all := bufio.NewReader(logs)
	for {
		line, err := all.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(line, "the port is open") {
			break
		}
	}
	if stdout, stderr, status := callLadle(t.Context(), "send", "-ca", crt, "https://"+address); status != 0 {
		t.Errorf("%s%s", stdout, stderr)
	}
	cancel()
	go func() {
		for _, err := all.ReadString('\n'); err == nil; _, err = all.ReadString('\n') {
		}
	}()
	if status := <-ended; status != 0 {
		t.Errorf("status %d", status)
	}
}

func TestExport(t *testing.T) {
	dir := t.TempDir()
	name := func(n string) string { return filepath.Join(dir, n) }
	t.Setenv(passwordEnvironment, "s3cret")
	if _, stderr, status := callLadle(t.Context(), "certificates", "create", name("lab.pfx")); status != 0 {
		t.Fatal(stderr)
	}
	want, err := tlsconfig.Certificate{File: name("lab.pfx"), Password: "s3cret"}.Load()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name("new"), []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args     []string
		to       string
		password tlsconfig.Secret
		err      error
	}{
		{[]string{"-with-key", name("lab.pfx")}, "all.pem", "", nil},
		{[]string{name("lab.pfx")}, "public.pem", "", tlsconfig.ErrNoPrivateKey},
		{[]string{name("lab.pfx")}, "same.p12", "s3cret", nil},
		{[]string{"-new-password-file", name("new"), "-name", "Ladle", name("lab.pfx")}, "new.pfx", "another", nil},
		{[]string{"-new-password-file", name("new"), name("all.pem")}, "back.pfx", "another", nil},
	} {
		args := append(append([]string{"certificates", "export"}, c.args...), name(c.to))
		if stdout, stderr, status := callLadle(t.Context(), args...); status != 0 || !strings.Contains(stdout, "written") {
			t.Fatalf("%v: %d %s", args, status, stderr)
		}
		if _, stderr, status := callLadle(t.Context(), args...); status != 1 || !strings.Contains(stderr, "exists") {
			t.Errorf("%v: a file was written over: %d %s", args, status, stderr)
		}
		got, err := tlsconfig.Certificate{File: name(c.to), Password: c.password}.Load()
		if !errors.Is(err, c.err) || err == nil && !got.Leaf.Equal(want.Leaf) {
			t.Errorf("%v: %v", args, err)
		}
	}
	for text, args := range map[string][]string{
		"the name says no form": {name("lab.pfx"), name("lab.txt")},
		"name FROM":             {name("lab.pem")},
		"stays there":           {"-thumbprint", tlsconfig.SHA1(want.Leaf).String(), name("store.pfx")},
		"can't read":            {name("missing.pfx"), name("x.pem")},
	} {
		if _, stderr, status := callLadle(t.Context(), append([]string{"certificates", "export"}, args...)...); status != 1 || !strings.Contains(stderr, text) {
			t.Errorf("%v: %d %s", args, status, stderr)
		}
	}
}
