package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.uber.org/zap"
	"gopkg.in/yaml.v3"
)

// maxConfig is the largest workflow file that is read.
const maxConfig = 16 * MiB

// A Config is what a workflow file says.
type Config struct {
	// File is the path of the file.
	File string `yaml:"-"`
	// Workflows are the workflows of the file, in its order.
	Workflows []Workflow `yaml:"workflows"`
}

// Engine returns a new engine that runs the file's workflows.
func (c *Config) Engine(opts ...Option) (*Engine, error) { return New(c.Workflows, opts...) }

// A ConfigError is one mistake in a workflow file.
type ConfigError struct {
	// File is the path of the file as it was given to [Load].
	File string
	// Line and Column are where the mistake stands, from 1, or 0 where it is the
	// whole file.
	Line, Column int
	// Err says what is wrong and what would be right.
	Err error
}

func (e *ConfigError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s:%d:%d: %v", e.File, e.Line, e.Column, e.Err)
}

func (e *ConfigError) Unwrap() error { return e.Err }

// Load reads a workflow file with the types that r knows. It opens nothing, and
// reports every mistake in one pass: the error joins a [*ConfigError] for each, in
// the order of the file. YAML that is not well-formed is reported alone.
//
// In a scalar value, `${env:NAME}` stands for an environment variable and
// `${file:PATH}` for the content of a file without the line end at its end; both
// are put in after the file was parsed, so they can't change its structure.
// Relative paths are relative to the file that names them.
func Load(r *Registry, file string) (*Config, error) {
	raw, err := readConfig(file)
	if err != nil {
		return nil, &ConfigError{File: file, Err: err}
	}
	root, err := parseYAML(raw)
	if err != nil {
		line, column, err := locateSyntaxError(raw, err)
		return nil, &ConfigError{File: file, Line: line, Column: column, Err: err}
	}
	if root == nil {
		return nil, &ConfigError{File: file, Err: errors.New("the file is empty: it needs a list of workflows")}
	}
	d := &decoder{registry: r, dir: filepath.Dir(file)}
	c := &Config{File: file}
	d.decode(root, valueOf(c), false)
	unread := d.errs
	_, mistakes := prepare(c.Workflows, zap.NewNop())
	for _, m := range mistakes {
		d.addPrepared(root, m, unread)
	}
	return c, d.joined(file)
}

func readConfig(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("can't read the workflow file: %w", errors.Unwrap(err))
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, int64(maxConfig)+1))
	if err != nil {
		return nil, fmt.Errorf("can't read the workflow file: %w", errors.Unwrap(err))
	}
	if len(raw) > int(maxConfig) {
		return nil, fmt.Errorf("the file is larger than %v", maxConfig)
	}
	return raw, nil
}

// parseYAML returns the file's one document, or nil when it has none.
func parseYAML(raw []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	var doc, next yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, err
	}
	switch err := dec.Decode(&next); {
	case errors.Is(err, io.EOF):
	case err != nil:
		return nil, err
	default:
		return nil, fmt.Errorf("line %d: a second document begins here: a workflow file holds one", next.Line)
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	return doc.Content[0], nil
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?line (\d+): `)

// locateSyntaxError takes the line out of the text of yaml's error and adds what a
// person would say who looks at that line.
func locateSyntaxError(raw []byte, err error) (line, column int, _ error) {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	m := yamlLine.FindStringSubmatch(err.Error())
	if m == nil {
		return 1, 1, fmt.Errorf("not well-formed YAML: %s", text)
	}
	line, _ = strconv.Atoi(m[1])
	text = err.Error()[len(m[0]):]
	if isParserError(text) {
		line++ // yaml counts these from 0
	}
	lines := bytes.Split(raw, []byte("\n"))
	line = min(line, len(lines)) // it counts the end of the file for one more
	for _, n := range []int{line, line + 1} {
		if n > len(lines) {
			break
		}
		l := lines[n-1]
		indent := l[:len(l)-len(bytes.TrimLeft(l, " \t"))]
		if tab := bytes.IndexByte(indent, '\t'); tab >= 0 {
			return n, tab + 1, errors.New("a tab in the indentation: YAML is indented with spaces")
		}
	}
	if strings.Contains(text, "second document") {
		return line, 1, errors.New(text)
	}
	return line, 1, fmt.Errorf("not well-formed YAML: %s", text)
}

// isParserError reports whether text is of the half of yaml that reads tokens, as
// opposed to characters.
func isParserError(text string) bool {
	rest, ok := strings.CutPrefix(text, "did not find expected ")
	return ok && slices.ContainsFunc([]string{"',' or", "key", "'-' indicator", "node content", "<"}, func(s string) bool { return strings.HasPrefix(rest, s) })
}

// addPrepared adds a mistake that was found when the workflows were prepared, at the
// place of its setting, unless something there could not be read: what could not be
// read is not missing, too.
func (d *decoder) addPrepared(root *yaml.Node, m *FieldError, unread []nodeError) {
	node := root
	if m.index > 0 {
		node = descend(d.registry, root, fmt.Sprintf("workflows[%d]", m.index-1))
	}
	node = descend(d.registry, node, m.Field)
	for _, e := range unread {
		if within(e.node, node) {
			return
		}
	}
	err := m.Err
	// The setting's own name tells enough: its place is in the line and column.
	if i := strings.LastIndexByte(m.Field, '.'); m.Field != "" {
		err = fmt.Errorf("%s: %w", m.Field[i+1:], err)
	}
	d.errs = append(d.errs, nodeError{node, err})
}

// descend follows the keys and indices of a field path from n as far as the file
// goes.
func descend(r *Registry, n *yaml.Node, path string) *yaml.Node {
	for _, key := range splitPath(path) {
		next := child(n, key)
		for next == nil {
			// `receiver: {http: {...}}`: the path leaves out the name of the type.
			typed := typedChild(r, n)
			if typed == nil {
				return n
			}
			n = typed
			next = child(n, key)
		}
		n = next
	}
	return n
}

func splitPath(path string) []string {
	return strings.FieldsFunc(path, func(c rune) bool { return c == '.' || c == '[' || c == ']' })
}

// child returns the value under a mapping's key or a list's index. A single value
// stands for a list of one.
func child(n *yaml.Node, key string) *yaml.Node {
	n = resolve(n)
	i, err := strconv.Atoi(key)
	switch {
	case err == nil && n.Kind == yaml.SequenceNode:
		if i < len(n.Content) {
			return n.Content[i]
		}
		return nil
	case err == nil && i == 0:
		return n
	}
	if n.Kind == yaml.MappingNode {
		for k := 0; k+1 < len(n.Content); k += 2 {
			if n.Content[k].Value == key {
				return n.Content[k+1]
			}
		}
	}
	return nil
}

func typedChild(r *Registry, n *yaml.Node) *yaml.Node {
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for k := 0; k+1 < len(n.Content); k += 2 {
		if r.known(n.Content[k].Value) {
			return n.Content[k+1]
		}
	}
	return nil
}

// within reports whether n is root or stands below it.
func within(n, root *yaml.Node) bool {
	return n == root || slices.ContainsFunc(root.Content, func(c *yaml.Node) bool { return within(n, c) })
}

func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}
