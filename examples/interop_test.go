package examples_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ladlehq/ladle/activities"
	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/engine/hl7v2"
	"github.com/ladlehq/ladle/hl7"
	"github.com/ladlehq/ladle/receivers"
	"github.com/ladlehq/ladle/tlsconfig"
	"go.uber.org/zap"
)

// The messages of an exchange with somebody else's program: escapes and characters
// outside of ASCII, and more than fits into one read.
var interopMessages = []string{
	"MSH|^~\\&|HIS|WARD|LAB|CELLAR|20260305140709||ADT^A01^ADT_A01|IO00001|P|2.5||||||UNICODE UTF-8\r" +
		"EVN||20260305140709\rPID|1||4711^^^HIS~0815^^^LAB||MÜLLER&VAN^ØYVIND^\\T\\ Ł\r",
	"MSH|^~\\&|HIS|WARD|LAB|CELLAR|20260305140710||ADT^A01^ADT_A01|IO00002|P|2.5||||||UNICODE UTF-8\r" +
		"PID|1||4711||MÜLLER^ØYVIND\rNTE|1||" + strings.Repeat("Größe ", 30_000) + ".\r",
}

// A peer is somebody else's program. See testdata/interop/README.md.
type peer struct {
	name string
	// command returns the program that speaks as the peer, or why there is none.
	command           func(name string) (args []string, missing string)
	sends, sendsTLS   bool
	serves, servesTLS bool
	// closes says that the peer takes earlier messages of a connection again with each
	// further one, so that each needs a connection of its own.
	closes bool
}

var peers = []peer{
	{name: "hl7", command: python, sends: true, sendsTLS: true, serves: true, servesTLS: true},
	{name: "simple-hl7", command: node, sends: true, serves: true},
	{name: "@medplum/hl7", command: node, sends: true, serves: true},
	{name: "hl7v2-net", command: node, serves: true},
	{name: "node-hl7-client", command: node, sends: true, sendsTLS: true},
	{name: "node-hl7-server", command: node, serves: true, servesTLS: true, closes: true},
}

// python returns the interpreter that mllp_send has: the one that python3-hl7 was
// installed for.
func python(name string) (args []string, missing string) {
	tool, err := exec.LookPath("mllp_send")
	if err != nil {
		return nil, "no mllp_send here: install python3-hl7"
	}
	script, err := os.ReadFile(tool)
	if err != nil {
		return nil, err.Error()
	}
	line, _, _ := bytes.Cut(script, []byte("\n"))
	interpreter, ok := strings.CutPrefix(string(line), "#!")
	if !ok {
		return nil, tool + " doesn't name its interpreter"
	}
	return append(strings.Fields(interpreter), "testdata/interop/peer.py", name), ""
}

func node(name string) (args []string, missing string) {
	dir := os.Getenv("LADLE_INTEROP")
	if dir == "" {
		return nil, "LADLE_INTEROP doesn't name the folder with the packages of testdata/interop/package.json"
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", name)); err != nil {
		return nil, "LADLE_INTEROP: " + err.Error()
	}
	tool, err := exec.LookPath("node")
	if err != nil {
		return nil, "no node here: install Node.js"
	}
	return []string{tool, "testdata/interop/peer.mjs", name}, ""
}

func TestInteropPeersSend(t *testing.T) {
	t.Parallel()
	for _, p := range peers {
		if !p.sends {
			continue
		}
		for _, encrypted := range []bool{false, true} {
			if encrypted && !p.sendsTLS {
				continue
			}
			t.Run(p.name+plainOrTLS(encrypted), func(t *testing.T) {
				t.Parallel()
				args, missing := p.command(p.name)
				if missing != "" {
					t.Skip(missing)
				}
				host, port, ca, bodies := receiveForPeer(t, encrypted)
				out := runPeer(t, append(append(args, "send", host, port, ca), messageFiles(t)...)...)
				lines := json.NewDecoder(bytes.NewReader(out))
				for i, m := range interopMessages {
					var line struct{ Sent, Ack string }
					if err := lines.Decode(&line); err != nil {
						t.Fatalf("message %d: %v", i, err)
					}
					checkAck(t, line.Ack, m)
					if got := string(<-bodies); got != line.Sent {
						t.Errorf("message %d: sent %s, received %s", i, brief(line.Sent), brief(got))
					}
					if strings.TrimRight(line.Sent, "\r") != strings.TrimRight(m, "\r") {
						t.Errorf("message %d: the peer makes %s of %s", i, brief(line.Sent), brief(m))
					}
				}
			})
		}
	}
}

// mllp_send of python3-hl7, the tool itself.
func TestInteropMLLPSend(t *testing.T) {
	t.Parallel()
	tool, err := exec.LookPath("mllp_send")
	if err != nil {
		t.Skip("no mllp_send here: install python3-hl7")
	}
	host, port, _, bodies := receiveForPeer(t, false)
	file := filepath.Join(t.TempDir(), "messages")
	if err := os.WriteFile(file, []byte(strings.Join(interopMessages, "\x1c\r")+"\x1c\r"), 0o600); err != nil {
		t.Fatal(err)
	}
	answers := bytes.SplitAfter(runPeer(t, tool, "-p", port, "-f", file, host), []byte("\x1c\r\n"))
	if len(answers) != len(interopMessages)+1 {
		t.Fatalf("%d answers: %q", len(answers)-1, answers)
	}
	for i, m := range interopMessages {
		if want, got := strings.TrimRight(m, "\r"), string(<-bodies); got != want { // it cuts the last CR off
			t.Errorf("message %d: received %s, want %s", i, brief(got), brief(want))
		}
		ack, framed := bytes.CutPrefix(bytes.TrimSuffix(answers[i], []byte("\x1c\r\n")), []byte("\x0b"))
		if !framed {
			t.Errorf("message %d: answered %q", i, answers[i])
		}
		checkAck(t, string(ack), m)
	}
}

func TestInteropPeersServe(t *testing.T) {
	t.Parallel()
	for _, p := range peers {
		if !p.serves {
			continue
		}
		for _, encrypted := range []bool{false, true} {
			if encrypted && !p.servesTLS {
				continue
			}
			t.Run(p.name+plainOrTLS(encrypted), func(t *testing.T) {
				t.Parallel()
				args, missing := p.command(p.name)
				if missing != "" {
					t.Skip(missing)
				}
				args = append(args, "serve")
				s := &activities.MLLPSender{CloseAfterEach: p.closes}
				if encrypted {
					server := newParty(t, "localhost", "127.0.0.1")
					key, err := server.pair.KeyPEM()
					if err != nil {
						t.Fatal(err)
					}
					keyFile := filepath.Join(t.TempDir(), "party.key")
					if err := tlsconfig.WriteFile(keyFile, key); err != nil {
						t.Fatal(err)
					}
					args = append(args, server.crt, keyFile)
					s.TLS = &tlsconfig.Client{Trust: tlsconfig.Trust{CAFiles: []string{server.crt}}}
				}
				lines := json.NewDecoder(startPeer(t, args...))
				var port json.Number
				if err := lines.Decode(&port); err != nil {
					t.Fatal(err)
				}
				s.Address = net.JoinHostPort("127.0.0.1", port.String())
				if err := s.Prepare(engine.Env{Format: hl7v2.Format{}, Logger: zap.NewNop()}); err != nil {
					t.Fatal(err)
				}
				if err := s.Open(t.Context()); err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				for i, m := range interopMessages {
					reply, err := s.Send(t.Context(), engine.NewMessage([]byte(m)))
					if err != nil {
						t.Fatalf("message %d: %v, %s", i, err, brief(string(reply.Body)))
					}
					checkAck(t, string(reply.Body), m)
					var got string
					if err := lines.Decode(&got); err != nil {
						t.Fatal(err)
					}
					if strings.TrimRight(got, "\r") != strings.TrimRight(m, "\r") {
						t.Errorf("message %d: the peer got %s of %s", i, brief(got), brief(m))
					}
				}
			})
		}
	}
}

func plainOrTLS(encrypted bool) string {
	if encrypted {
		return " over TLS"
	}
	return " plain"
}

// receiveForPeer starts a receiver and returns its address, the certificate file to trust
// or "", and what the workflow gets.
func receiveForPeer(t *testing.T, encrypted bool) (host, port, ca string, bodies <-chan []byte) {
	t.Helper()
	r := &receivers.MLLP{Address: "127.0.0.1:0"}
	if encrypted {
		server := newParty(t, "localhost", "127.0.0.1")
		r.TLS = &tlsconfig.Server{Certificates: server.certificate()}
		ca = server.crt
	}
	c := make(chan []byte, len(interopMessages))
	e := start(t, engine.Workflow{Name: "w", Receiver: r, Activities: []engine.Step{{Activity: engine.ActivityFunc(func(_ ctx, m *engine.Message) error {
		c <- slices.Clone(m.Body())
		return nil
	})}}})
	host, port, err := net.SplitHostPort(e.Addr("w").String())
	if err != nil {
		t.Fatal(err)
	}
	return host, port, ca, c
}

func messageFiles(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	var names []string
	for _, m := range interopMessages {
		name := filepath.Join(dir, controlID(m))
		if err := os.WriteFile(name, []byte(m), 0o600); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return names
}

// checkAck reports an acknowledgement that doesn't accept message.
func checkAck(t *testing.T, ack, message string) {
	t.Helper()
	want := controlID(message)
	if a, err := hl7.ParseAck([]byte(ack)); err != nil || a.Code != "AA" || a.ControlID != want {
		t.Errorf("%s is answered %s: %+v, %v", want, brief(ack), a, err)
	}
}

// runPeer runs a program to its end and returns what it prints.
func runPeer(t *testing.T, args ...string) []byte {
	t.Helper()
	var stderr bytes.Buffer
	limit, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(limit, args[0], args[1:]...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s%s", args, err, brief(string(out)), stderr.String())
	}
	return out
}

// startPeer runs a program until the test ends and returns its output.
func startPeer(t *testing.T, args ...string) io.Reader {
	t.Helper()
	var stderr bytes.Buffer
	limit, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(limit, args[0], args[1:]...)
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe() // ends with this process, whatever becomes of it, and the program with it
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		cancel()
		cmd.Wait()
		if t.Failed() {
			t.Logf("%v:\n%s", args, stderr.String())
		}
	})
	return bufio.NewReader(stdout)
}

// brief is the beginning of a text.
func brief(s string) string {
	if len(s) > 300 {
		s = s[:300] + "..."
	}
	return strings.ReplaceAll(s, "\r", "\\r ")
}

func controlID(message string) string { return strings.Split(message, "|")[9] }
