package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func file(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "message.hl7")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

const (
	first  = "MSH|^~\\&|A||||20260305||ADT^A01^ADT_A01|1|P|2.5\rEVN||20260305\rPID|1||4711||M\xfcller^J\xf6rg\rPV1|1|I\r"
	second = "MSH|^~\\&|A||||20260305||ADT^A01^ADT_A01|2|P|2.5\nEVN||20260305\nPID|1||4711||Smith^J\xf6rg\n"
)

func TestShow(t *testing.T) {
	both := file(t, "\x0b"+first+"\x1c\r"+"BHS|^~\\&\r"+second+"BTS|7\r")
	for _, c := range []struct {
		flag           string
		stdout, stderr []string
		status         int
	}{
		{"", []string{"PID  Patient Identification\n", "  PID-5.1  Patient Name / Family Name:  Müller\n", "PID-5.1  Patient Name / Family Name:  Smith\n"}, []string{"BTS-1 says that the number of messages in the batch is 7, and it is 1"}, 1},
		{"-json", []string{`{"name":"PID","fields":["1","","4711","",[[{"8859/1":"Müller"},{"8859/1":"Jörg"}]]]}`, "\n{\"segments\""}, []string{"BTS-1"}, 1},
		{"-xml", []string{"<PID><PID.1>1</PID.1><PID.3><CX.1>4711</CX.1></PID.3><PID.5><XPN.1><FN.1>Müller</FN.1></XPN.1><XPN.2>Jörg</XPN.2></PID.5></PID>"}, []string{"BTS-1"}, 1},
		{"-validate", []string{"error PV1: ADT_A01 requires the segment PV1"}, []string{"1 error in a message"}, 1},
	} {
		args := []string{"show", c.flag, both}
		if c.flag == "" {
			args = []string{"show", both}
		}
		stdout, stderr, status := callLadle(t.Context(), args...)
		for _, want := range c.stdout {
			if !strings.Contains(stdout, want) {
				t.Errorf("%s: %s is not in\n%s", c.flag, want, stdout)
			}
		}
		for _, want := range c.stderr {
			if !strings.Contains(stderr, want) {
				t.Errorf("%s: %s is not in\n%s", c.flag, want, stderr)
			}
		}
		if status != c.status {
			t.Errorf("%s: status %d", c.flag, status)
		}
	}
	if stdout, stderr, status := callLadle(t.Context(), "show", "-validate", file(t, first)); status != 0 || stderr != "" {
		t.Errorf("%d %s %s", status, stdout, stderr)
	}
	for content, want := range map[string]string{"hello": "this is no message", "MSH|^^": "names one character for two delimiters", "\x00MSH": ""} {
		if _, stderr, status := callLadle(t.Context(), "show", file(t, content)); status != 1 || !strings.Contains(stderr, want) || strings.Contains(stderr, "hello") {
			t.Errorf("%q: %d %s", content, status, stderr)
		}
	}
	if _, stderr, status := callLadle(t.Context(), "show", "no-such-file"); status != 1 || !strings.Contains(stderr, "no-such-file") {
		t.Errorf("%d %s", status, stderr)
	}
}

func TestDiff(t *testing.T) {
	a, b := file(t, first), file(t, "\x0b"+second+"\x1c\r")
	stdout, stderr, status := callLadle(t.Context(), "diff", "-ignore", "MSH-10, EVN", a, b)
	if want := "PID-5.1: \"Müller\" is now \"Smith\"\nPV1 went: \"PV1|1|I\"\n"; status != 1 || stdout != want || stderr != "" {
		t.Errorf("%d %s %s", status, stdout, stderr)
	}
	if stdout, _, status := callLadle(t.Context(), "diff", a, a); status != 0 || stdout != "" {
		t.Errorf("%d %s", status, stdout)
	}
	for _, args := range [][]string{{"diff", a}, {"diff", "-ignore", "PID5", a, b}, {"diff", a, file(t, "hello")}, {"diff", a, "no-such-file"}} {
		if _, stderr, status := callLadle(t.Context(), args...); status == 0 || stderr == "" || strings.Contains(stderr, "hello") {
			t.Errorf("%v: %d %s", args, status, stderr)
		}
	}
}
