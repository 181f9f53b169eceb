package main

import (
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := run(&out, []byte(result)); err != nil {
		t.Fatal(err)
	}
	want := "EVERYWOMAN M1\nPID-3[1].1 4711\nPID-3[2].1 4712\nOBX-8: \"\" is now \"L & checked\"\n"
	if out.String() != want {
		t.Errorf("got\n%s, want\n%s", out.String(), want)
	}
	if err := run(&out, []byte("hello")); err == nil {
		t.Error("hello is a message")
	}
}
