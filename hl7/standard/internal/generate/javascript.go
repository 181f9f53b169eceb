package main

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Both sources are JavaScript files that hold data only: object literals, lists, strings,
// numbers and names. This file reads that part of the language and nothing else, so that the
// generator needs no JavaScript engine and runs no code of others.

// An object is an object literal with its members in the order of the file.
type object struct {
	keys   []string
	values map[string]any
}

// A name is a bare identifier, such as the variable that another literal was given to.
type name string

func (o *object) get(key string) any {
	if o == nil {
		return nil
	}
	return o.values[key]
}

func (o *object) object(key string) *object {
	v, _ := o.get(key).(*object)
	return v
}

func (o *object) list(key string) []any {
	v, _ := o.get(key).([]any)
	return v
}

func (o *object) text(key string) string {
	v, _ := o.get(key).(string)
	return strings.Join(strings.Fields(v), " ")
}

func (o *object) number(key string) (int, bool) {
	v, ok := o.get(key).(int)
	return v, ok
}

// A literalReader reads one literal. Its position tells where in the file it stands.
type literalReader struct {
	src string
	pos int
}

// readLiteral reads the literal that starts at offset at of src.
func readLiteral(src string, at int) (any, int, error) {
	r := literalReader{src: src, pos: at}
	v, err := r.value(0)
	if err != nil {
		line := strings.Count(src[:min(r.pos, len(src))], "\n") + 1
		return nil, r.pos, fmt.Errorf("line %d, offset %d: %w", line, r.pos, err)
	}
	return v, r.pos, nil
}

const maxDepth = 100

func (r *literalReader) space() {
	for r.pos < len(r.src) && strings.IndexByte(" \t\r\n", r.src[r.pos]) >= 0 {
		r.pos++
	}
}

func (r *literalReader) skip(token string) bool {
	r.space()
	if strings.HasPrefix(r.src[r.pos:], token) {
		r.pos += len(token)
		return true
	}
	return false
}

func (r *literalReader) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("literals nested more than %d deep", maxDepth)
	}
	r.space()
	if r.pos >= len(r.src) {
		return nil, fmt.Errorf("the file ends where a value was expected")
	}
	switch c := r.src[r.pos]; {
	case c == '{':
		return r.objectLiteral(depth)
	case c == '[':
		return r.listLiteral(depth)
	case c == '"' || c == '\'' || c == '`':
		return r.stringLiteral()
	case c == '-' || c >= '0' && c <= '9':
		return r.numberLiteral()
	case r.skip("()=>"):
		return r.value(depth + 1)
	default:
		id := r.identifier()
		if id == "" {
			return nil, fmt.Errorf("%q where a value was expected", c)
		}
		for r.pos < len(r.src) && r.src[r.pos] == '.' {
			r.pos++
			id += "." + r.identifier()
		}
		return name(id), nil
	}
}

func (r *literalReader) identifier() string {
	start := r.pos
	for r.pos < len(r.src) {
		c := r.src[r.pos]
		if c != '$' && c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			break
		}
		r.pos++
	}
	return r.src[start:r.pos]
}

func (r *literalReader) objectLiteral(depth int) (any, error) {
	o := &object{values: map[string]any{}}
	r.pos++
	for {
		if r.skip("}") {
			return o, nil
		}
		r.space()
		if r.pos >= len(r.src) {
			return nil, fmt.Errorf("the file ends inside an object")
		}
		var key string
		if c := r.src[r.pos]; c == '"' || c == '\'' {
			k, err := r.stringLiteral()
			if err != nil {
				return nil, err
			}
			key = k
		} else if key = r.identifier(); key == "" {
			return nil, fmt.Errorf("%q where a member's name was expected", c)
		}
		if !r.skip(":") {
			return nil, fmt.Errorf("no colon after the member %q", key)
		}
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if _, twice := o.values[key]; !twice {
			o.keys = append(o.keys, key)
		}
		o.values[key] = v
		if !r.skip(",") {
			if !r.skip("}") {
				return nil, fmt.Errorf("neither a comma nor a closing brace after the member %q", key)
			}
			return o, nil
		}
	}
}

func (r *literalReader) listLiteral(depth int) (any, error) {
	list := []any{}
	r.pos++
	for {
		if r.skip("]") {
			return list, nil
		}
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		if !r.skip(",") {
			if !r.skip("]") {
				return nil, fmt.Errorf("neither a comma nor a closing bracket after a list's item")
			}
			return list, nil
		}
	}
}

func (r *literalReader) numberLiteral() (any, error) {
	start := r.pos
	for r.pos < len(r.src) && strings.IndexByte("+-.eE0123456789", r.src[r.pos]) >= 0 {
		r.pos++
	}
	f, err := strconv.ParseFloat(r.src[start:r.pos], 64)
	if err != nil {
		return nil, fmt.Errorf("a number that can't be read: %w", err)
	}
	n := int(f)
	if float64(n) != f {
		return nil, fmt.Errorf("the number %s isn't a whole one", r.src[start:r.pos])
	}
	return n, nil
}

func (r *literalReader) stringLiteral() (string, error) {
	quote := r.src[r.pos]
	r.pos++
	var b strings.Builder
	for r.pos < len(r.src) {
		c := r.src[r.pos]
		r.pos++
		switch {
		case c == quote:
			return b.String(), nil
		case c != '\\':
			b.WriteByte(c)
			continue
		case r.pos >= len(r.src):
			return "", fmt.Errorf("the file ends inside a string")
		}
		c = r.src[r.pos]
		r.pos++
		switch c {
		case 'n', 'r', 't':
			b.WriteByte(' ')
		case '\n':
		case 'x', 'u':
			digits := 2
			if c == 'u' {
				digits = 4
			}
			if r.pos+digits > len(r.src) {
				return "", fmt.Errorf("the file ends inside an escape")
			}
			n, err := strconv.ParseUint(r.src[r.pos:r.pos+digits], 16, 32)
			if err != nil {
				return "", fmt.Errorf("an escape that can't be read: %w", err)
			}
			r.pos += digits
			b.WriteString(string(utf8.AppendRune(nil, rune(n))))
		default:
			b.WriteByte(c)
		}
	}
	return "", fmt.Errorf("the file ends inside a string")
}
