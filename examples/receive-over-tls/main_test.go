package main_test

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// The example as a new user sees it: started in an empty checkout, tried with the curl
// line that it prints, stopped with Ctrl-C, and started again.
func TestTheMainJob(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("a process can't be sent Ctrl-C there")
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	checkout := t.TempDir()
	dir := filepath.Join(checkout, "examples", "receive-over-tls")
	workflow := read(t, "workflow.yaml")
	if !strings.Contains(workflow, `":8443"`) {
		t.Fatal("the port is not where this test changes it")
	}
	oru := read(t, "../ladle/testdata/oru.hl7")
	write(t, filepath.Join(dir, "workflow.yaml"), strings.Replace(workflow, `":8443"`, `":0"`, 1))
	write(t, filepath.Join(checkout, "examples", "ladle", "testdata", "oru.hl7"), oru)
	program := filepath.Join(checkout, "receive-over-tls")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	var thumbprints []string
	for range 2 {
		cmd := exec.Command(program)
		cmd.Dir = checkout
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		watchdog := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
		printed := readUntil(t, stdout, "Ctrl-C stops.")
		thumbprints = append(thumbprints, regexp.MustCompile(`SHA-256: +([0-9a-f]{64})\n`).FindStringSubmatch(printed)[1])
		if !regexp.MustCompile(`Address for the partner: +https://[^/ ]+:\d+/hl7\n`).MatchString(printed) {
			t.Errorf("no address for the partner:\n%s", printed)
		}
		line := regexp.MustCompile(`(?m)^ +(curl .*)$`).FindStringSubmatch(printed)[1]
		curl := exec.Command("sh", "-c", strings.Replace(line, "curl ", "curl -sS ", 1))
		curl.Dir = checkout
		if out, err := curl.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("\rMSA|AA|CNTRL-3456\r")) {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, stdout); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("after Ctrl-C: %v\n%s", err, stderr.String())
		}
		watchdog.Stop()
		if strings.Contains(stderr.String(), "EVERYWOMAN") {
			t.Error("the log has content of a message")
		}
	}
	if thumbprints[0] != thumbprints[1] {
		t.Error("the second start has another certificate")
	}
	for _, name := range []string{"CNTRL-3456.hl7", "CNTRL-3456-2.hl7"} {
		if got := read(t, filepath.Join(dir, "inbox", name)); got != oru {
			t.Errorf("%s: %q", name, got)
		}
	}
	for _, name := range []string{"server.pfx", "server.password", "server.crt"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// readUntil returns what r gives up to and with the line that has text.
func readUntil(t *testing.T, r io.Reader, text string) string {
	t.Helper()
	var all strings.Builder
	s := bufio.NewReader(r)
	for {
		line, err := s.ReadString('\n')
		all.WriteString(line)
		if err != nil {
			t.Fatalf("%v after\n%s", err, all.String())
		}
		if strings.Contains(line, text) {
			return all.String()
		}
	}
}
