//go:build !unix

package examples_test

func dropPrivileges() error { return nil }
