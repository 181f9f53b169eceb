//go:build !windows

package tlsconfig

func seal(table string, text []byte) ([]byte, error)     { return sealWithKey(table, text) }
func unseal(table string, sealed []byte) ([]byte, error) { return unsealWithKey(table, sealed) }
