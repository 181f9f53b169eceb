// Package secret has the type of settings that nobody is to read in a log: passwords and
// tokens.
package secret
