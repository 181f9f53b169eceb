package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ladlehq/ladle/activities"
	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/engine/enginetest"
	"github.com/ladlehq/ladle/receivers"
	"github.com/ladlehq/ladle/tlsconfig"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "write the expected errors anew")

// call runs the command and returns what it prints and its exit status.
func callLadle(ctx context.Context, args ...string) (stdout, stderr string, status int) {
	var o, e bytes.Buffer
	status = ladle(ctx, args, &o, &e)
	return o.String(), e.String(), status
}

// Each file in testdata/mistakes has a mistake, and beside it the text that a user
// reads.
func TestMistakes(t *testing.T) {
	t.Chdir("testdata/mistakes")
	all, err := filepath.Glob("*.yaml")
	if err != nil || len(all) < 40 {
		t.Fatalf("%d files, %v", len(all), err)
	}
	for _, file := range all {
		stdout, stderr, status := callLadle(t.Context(), "check", file)
		if status != 1 || stdout != "" {
			t.Errorf("%s: status %d, %s", file, status, stdout)
		}
		golden := strings.TrimSuffix(file, ".yaml") + ".txt"
		if *update {
			if err := os.WriteFile(golden, []byte(stderr), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Error(err)
			continue
		}
		if stderr != string(want) {
			t.Errorf("%s: got\n%swant\n%s", file, stderr, want)
		}
		if !strings.HasPrefix(stderr, file+":") {
			t.Errorf("%s: the error doesn't begin with the file", file)
		}
	}
}

// What can't run here, for want of a public name, has no mistakes at least, and needs no
// file that isn't there.
func TestExampleWithACME(t *testing.T) {
	t.Parallel()
	file := filepath.Join("..", "receive-with-acme", "workflow.yaml")
	if stdout, stderr, status := callLadle(t.Context(), "check", file); status != 0 || !strings.Contains(stdout, "1 workflow, no mistakes") {
		t.Errorf("%s%s", stdout, stderr)
	}
	if _, err := os.Stat(filepath.Join("..", "receive-with-acme", "certificates")); err == nil {
		t.Error("check has made the storage")
	}
}

// The workflow files among the examples have no mistakes, and do together what their
// READMEs say: one forwards over TLS what the other writes to disk, and answers with its
// answer.
func TestExampleWorkflows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	place := func(name string, content []byte) string {
		name = filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), tlsconfig.WriteFile(name, content)); err != nil {
			t.Fatal(err)
		}
		return name
	}
	pair, err := tlsconfig.SelfSigned{FriendlyName: "example", Names: []string{"localhost"}}.Create()
	if err != nil {
		t.Fatal(err)
	}
	pfx, err := pair.PFX("secret")
	if err != nil {
		t.Fatal(err)
	}
	place("receive-over-tls/server.pfx", pfx)
	place("receive-over-tls/server.password", []byte("secret\n"))
	place("receive-over-tls/server.crt", pair.PEM())
	example := func(name string, ports ...string) *engine.Engine { // old, new, old, new
		text, err := os.ReadFile(filepath.Join("..", name, "workflow.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(ports); i += 2 {
			if strings.Count(string(text), ports[i]) != 1 {
				t.Fatalf("%s: %s is not where this test changes it", name, ports[i])
			}
		}
		file := place(name+"/workflow.yaml", text)
		if stdout, stderr, status := callLadle(t.Context(), "check", file); status != 0 || !strings.Contains(stdout, "1 workflow, no mistakes") {
			t.Fatalf("%s%s", stdout, stderr)
		}
		moved := place(name+"/moved.yaml", []byte(strings.NewReplacer(ports...).Replace(string(text))))
		return startFile(t, moved)
	}
	receiving := example("receive-over-tls", ":8443", ":0")
	_, port, err := net.SplitHostPort(receiving.Addr("Receive HL7 over SSL").String())
	if err != nil {
		t.Fatal(err)
	}
	sending := example("send-over-tls", "localhost:8443", "localhost:"+port, "127.0.0.1:8080", "127.0.0.1:0")
	stdout, stderr, status := callLadle(t.Context(), "send", sending.URL("Send HL7 over SSL"))
	if status != 0 || !strings.Contains(stdout, "\nMSA|AA|CNTRL-3456") {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "receive-over-tls", "inbox", "CNTRL-3456.hl7")); err != nil || !bytes.Equal(got, oru) {
		t.Errorf("%q, %v", got, err)
	}
}

// startFile runs the workflows of a file until the test ends.
func startFile(t *testing.T, file string) *engine.Engine {
	t.Helper()
	r, err := registry()
	if err != nil {
		t.Fatal(err)
	}
	config, err := engine.Load(r, file)
	if err != nil {
		t.Fatal(err)
	}
	eng, err := config.Engine()
	if err != nil {
		t.Fatal(err)
	}
	if err := eng.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := eng.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return eng
}

// The relay passes on what it takes, and the laboratory's answer back.
func TestExampleRelay(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "relay-over-mllp", "workflow.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	relay, laboratory := enginetest.FreeAddress(t), enginetest.FreeAddress(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "workflow.yaml")
	moved := strings.NewReplacer("127.0.0.1:2575", relay, "127.0.0.1:2576", laboratory).Replace(string(text))
	if err := os.WriteFile(file, []byte(moved), 0o600); err != nil {
		t.Fatal(err)
	}
	if stdout, stderr, status := callLadle(t.Context(), "check", file); status != 0 || !strings.Contains(stdout, "2 workflows, no mistakes") {
		t.Fatalf("%s%s", stdout, stderr)
	}
	eng := startFile(t, file)
	if url := eng.URL("Relay"); url != "mllp://"+relay {
		t.Errorf("the address for the partner is %q", url)
	}
	stdout, stderr, status := callLadle(t.Context(), "send", eng.URL("Relay"))
	if status != 0 || !strings.Contains(stdout, "MSA|AA|CNTRL-3456") {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "inbox", "ORU-CNTRL-3456.hl7")); err != nil || !bytes.Equal(got, oru) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args   []string
		status int
		text   string
	}{
		{nil, 2, "usage: ladle COMMAND"},
		{[]string{"help"}, 0, "usage: ladle COMMAND"},
		{[]string{"sned"}, 2, `there is no command "sned"`},
		{[]string{"check"}, 2, "usage: ladle check FILE..."},
		{[]string{"send", "-h"}, 0, "-pin thumbprint"},
		{[]string{"send", "-pins", "x"}, 2, "flag provided but not defined"},
		{[]string{"run", "a", "b"}, 2, "usage: ladle run"},
		{[]string{"run", "no-such-file.yaml"}, 1, "no-such-file.yaml: can't read the workflow file: no such file or directory"},
		{[]string{"send", "-pin", "123", "https://localhost"}, 1, "-pin: not a thumbprint: it has 3 hexadecimal digits"},
		{[]string{"send", "localhost:8443"}, 1, "is no address of a partner"},
		{[]string{"send", "http://127.0.0.1:1", "no-such-file"}, 1, "no-such-file"},
	} {
		stdout, stderr, status := callLadle(t.Context(), c.args...)
		if status != c.status || !strings.Contains(stdout+stderr, c.text) {
			t.Errorf("%q: status %d\n%s%s", c.args, status, stdout, stderr)
		}
	}
}

// receiver runs a workflow that answers with err and returns its address.
func receiver(t *testing.T, err error) (address, inbox string) {
	t.Helper()
	inbox = t.TempDir()
	e, newErr := engine.New([]engine.Workflow{{Name: "w", Receiver: &receivers.HTTP{Address: "127.0.0.1:0"}, Activities: []engine.Step{
		{Activity: engine.ActivityFunc(func(context.Context, *engine.Message) error { return err })},
		{Activity: &activities.WriteToDisk{Directory: inbox, File: "${MSH-10}"}},
	}}})
	if newErr != nil {
		t.Fatal(newErr)
	}
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Shutdown(context.Background()) })
	return e.URL("w"), inbox
}

func TestRunUntilStopped(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "w.yaml")
	if err := os.WriteFile(file, []byte("workflows:\n- name: w\n  receiver: {http: {address: \"127.0.0.1:0\"}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pr.Close()
	var stderr bytes.Buffer
	ended := make(chan int)
	go func() {
		ended <- ladle(ctx, []string{"run", file}, pw, &stderr)
		pw.Close()
	}()
	line := make([]byte, 200)
	n, err := pr.Read(line)
	if err != nil || !strings.HasPrefix(string(line[:n]), "w: http://127.0.0.1:") {
		t.Fatalf("%q, %v", line[:n], err)
	}
	cancel()
	if status := <-ended; status != 0 {
		t.Errorf("status %d\n%s", status, stderr.String())
	}
}
