package tlsconfig

import (
	"encoding/asn1"
	"errors"
)

// maxDepth bounds structures in each other.
const maxDepth = 64

// toDER converts BER, as some programs write PFX files in, to DER: lengths that are told
// only by an end mark become definite, and strings of octets that come in pieces become
// whole (X.690, 8.1.3.6 and 8.7.3). DER comes back as it is.
func toDER(raw []byte) ([]byte, error) {
	out, rest, err := appendDER(nil, raw, 0)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, errors.New("there is something behind its structure")
	}
	return out, nil
}

var errBER = errors.New("its structure is damaged")

// An element is what an identifier and a length enclose.
type element struct {
	tag     byte
	content []byte // up to its end where that is known
	open    bool   // until an end mark
}

const (
	constructed  = 0x20
	octetString  = asn1.TagOctetString
	contextZero  = 0x80
	sequenceByte = asn1.TagSequence | constructed
)

// readElement reads an identifier and a length. rest is what is behind the element, or,
// of one without a length, the same as its content.
func readElement(b []byte) (e element, rest []byte, err error) {
	if len(b) < 2 || b[0]&0x1f == 0x1f {
		return e, nil, errBER // no tag of more than a byte is in a PFX
	}
	e.tag = b[0]
	n, b := int(b[1]), b[2:]
	switch {
	case n == 0x80:
		if e.tag&constructed == 0 {
			return e, nil, errBER
		}
		e.open, e.content = true, b
		return e, b, nil
	case n > 0x80:
		size := n & 0x7f
		if size > 4 || len(b) < size {
			return e, nil, errBER
		}
		n = 0
		for _, c := range b[:size] {
			n = n<<8 | int(c)
		}
		b = b[size:]
	}
	if n > len(b) {
		return e, nil, errBER
	}
	e.content = b[:n]
	return e, b[n:], nil
}

// appendDER appends the element that b begins with, and returns what is behind it.
func appendDER(dst, b []byte, depth int) (_, rest []byte, err error) {
	e, rest, err := readElement(b)
	if err != nil || depth > maxDepth {
		return dst, nil, errBER
	}
	if e.tag&constructed == 0 {
		return appendElement(dst, e.tag, e.content), rest, nil
	}
	children, after, err := e.children(depth)
	if err != nil {
		return dst, nil, err
	}
	if e.open {
		rest = after
	}
	if e.tag == octetString|constructed {
		octets, err := joined(children)
		return appendElement(dst, octetString, octets), rest, err
	}
	if e.tag == sequenceByte && len(children) == 3 && isEncryptedContent(children) {
		// The content is a string of octets under another tag, and its pieces aren't.
		inner, _, err := readElement(children[2])
		if err != nil {
			return dst, nil, err
		}
		pieces, _, err := inner.children(depth + 1)
		if err != nil {
			return dst, nil, err
		}
		octets, err := joined(pieces)
		if err != nil {
			return dst, nil, err
		}
		children[2] = appendElement(nil, contextZero, octets)
	}
	var content []byte
	for _, c := range children {
		content = append(content, c...)
	}
	return appendElement(dst, e.tag, content), rest, nil
}

// children returns the elements inside in DER, and what is behind the end mark.
func (e element) children(depth int) (all [][]byte, after []byte, err error) {
	b := e.content
	for len(b) > 0 {
		if e.open && len(b) >= 2 && b[0] == 0 && b[1] == 0 {
			return all, b[2:], nil
		}
		var child []byte
		if child, b, err = appendDER(nil, b, depth+1); err != nil {
			return nil, nil, err
		}
		all = append(all, child)
	}
	if e.open {
		return nil, nil, errBER
	}
	return all, nil, nil
}

// joined returns the octets of pieces.
func joined(pieces [][]byte) ([]byte, error) {
	var octets []byte
	for _, p := range pieces {
		e, _, err := readElement(p)
		if err != nil || e.tag != octetString {
			return nil, errBER
		}
		octets = append(octets, e.content...)
	}
	return octets, nil
}

// isEncryptedContent reports whether a sequence is the EncryptedContentInfo of data, with
// its content in pieces.
func isEncryptedContent(children [][]byte) bool {
	oid, err := asn1.Marshal(oidData)
	return err == nil && string(children[0]) == string(oid) && children[1][0] == sequenceByte && children[2][0] == contextZero|constructed
}

func appendElement(dst []byte, tag byte, content []byte) []byte {
	dst = append(dst, tag)
	switch n := len(content); {
	case n < 0x80:
		dst = append(dst, byte(n))
	case n < 0x100:
		dst = append(dst, 0x81, byte(n))
	case n < 0x10000:
		dst = append(dst, 0x82, byte(n>>8), byte(n))
	case n < 0x1000000:
		dst = append(dst, 0x83, byte(n>>16), byte(n>>8), byte(n))
	default:
		dst = append(dst, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return append(dst, content...)
}
