// Command receive-over-tls receives HL7 messages over HTTPS, answers each with an
// acknowledgement, and writes it into the folder inbox.
//
// It runs the workflow of workflow.yaml beside it. When there is no certificate yet, it
// makes one and keeps it in server.pfx, with its password in server.password and the
// part to hand to partners in server.crt.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/ladlehq/ladle/activities"
	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/receivers"
	"github.com/ladlehq/ladle/tlsconfig"
	"go.uber.org/zap"
)

func main() {
	dir := flag.String("dir", besideThis(), "the `folder` of workflow.yaml")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	if err := run(ctx, *dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// besideThis finds the example's folder from the top of the checkout, where `go run`
// is called, and from within.
func besideThis() string {
	dir := filepath.Join("examples", "receive-over-tls")
	if _, err := os.Stat(filepath.Join(dir, "workflow.yaml")); err == nil {
		return dir
	}
	return "."
}

func run(ctx context.Context, dir string) error {
	if err := ensureCertificate(dir); err != nil {
		return err
	}

	var reg engine.Registry
	if err := errors.Join(receivers.Register(&reg), activities.Register(&reg)); err != nil {
		return err
	}
	config, err := engine.Load(&reg, filepath.Join(dir, "workflow.yaml"))
	if err != nil {
		return err
	}
	log, err := zap.NewDevelopment()
	if err != nil {
		return err
	}
	eng, err := config.Engine(engine.WithLogger(log))
	if err != nil {
		return err
	}
	if err := eng.Start(ctx); err != nil {
		return err
	}
	err = introduce(eng, dir)
	if err == nil {
		<-ctx.Done()
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), engine.DefaultGrace)
	defer cancel()
	return errors.Join(err, eng.Shutdown(grace), eng.Wait())
}

// ensureCertificate makes the home-made certificate when there is none yet.
func ensureCertificate(dir string) error {
	_, err := os.Stat(filepath.Join(dir, "server.pfx"))
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	pair, err := tlsconfig.SelfSigned{
		FriendlyName: "Ladle example on " + host,
		Names:        []string{"localhost", host, "127.0.0.1", "::1"},
	}.Create()
	if err != nil {
		return err
	}
	password := tlsconfig.Secret(rand.Text())
	pfx, err := pair.PFX(password)
	if err != nil {
		return err
	}
	// The PFX comes last: when it is there, so is the rest.
	for _, f := range []struct {
		name    string
		content []byte
	}{
		{"server.password", []byte(password.Reveal() + "\n")},
		{"server.crt", pair.PEM()},
		{"server.pfx", pfx},
	} {
		name := filepath.Join(dir, f.name)
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := tlsconfig.WriteFile(name, f.content); err != nil {
			return err
		}
	}
	return nil
}

// introduce tells the user what to hand to a partner and how to try it.
func introduce(eng *engine.Engine, dir string) error {
	const workflow = "Receive HL7 over SSL"
	password, err := os.ReadFile(filepath.Join(dir, "server.password"))
	if err != nil {
		return err
	}
	certificate, err := tlsconfig.Certificate{
		File:     filepath.Join(dir, "server.pfx"),
		Password: tlsconfig.Secret(strings.TrimSpace(string(password))),
	}.Load()
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(eng.Addr(workflow).String())
	if err != nil {
		return err
	}
	local := "https://localhost:" + port + "/hl7"
	crt := filepath.Join(dir, "server.crt")
	message := filepath.Join(dir, "..", "ladle", "testdata", "oru.hl7")
	fmt.Printf(`
%s is running.
  Address for the partner:  %s
  Thumbprint, SHA-256:      %s
  Thumbprint, SHA-1:        %s
  Certificate to hand over: %s
Try it from another terminal:
  curl --cacert %s -H "Content-Type: application/hl7-v2" --data-binary @%s %s
  go run ./examples/ladle send -ca %s %s
Messages are written into %s. Ctrl-C stops.

`, workflow, eng.URL(workflow), tlsconfig.SHA256(certificate.Leaf), tlsconfig.SHA1(certificate.Leaf), crt,
		quoted(crt), quoted(message), local, quoted(crt), local, filepath.Join(dir, "inbox"))
	return nil
}

// quoted is s as a shell takes it for one word.
func quoted(s string) string {
	if strings.ContainsAny(s, " '\"$&()") {
		return `"` + s + `"`
	}
	return s
}
